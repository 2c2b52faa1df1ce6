"""The theory in SymPy: every function returns an expression that prints, differentiates and compiles.

:func:`derivation` gives the same formulas with the assumptions under which they hold and the order of their error.
"""

from ctrnn_theory.derive.catalogue import FORMULAS, derivation
from ctrnn_theory.derive.derivation import Derivation
from ctrnn_theory.derive.kesten import random_multiplier
from ctrnn_theory.derive.kink_values import kink_bias_value
from ctrnn_theory.derive.kinks import kink_bias
from ctrnn_theory.derive.network import small_noise_bias_network
from ctrnn_theory.derive.network_noise import small_noise_bias_network_any
from ctrnn_theory.derive.preference import preferred_noise
from ctrnn_theory.derive.readout import readout_noise
from ctrnn_theory.derive.sensitivity import sensitivity, sensitivity_value
from ctrnn_theory.derive.small_noise import small_noise_bias, small_noise_third_cumulant, small_noise_variance
from ctrnn_theory.derive.smoothing import smoothing
from ctrnn_theory.numerics.neuron_tail import neuron_tail_exponent

__all__ = [
    "FORMULAS",
    "Derivation",
    "derivation",
    "kink_bias",
    "kink_bias_value",
    "neuron_tail_exponent",
    "preferred_noise",
    "random_multiplier",
    "readout_noise",
    "sensitivity",
    "sensitivity_value",
    "small_noise_bias",
    "small_noise_bias_network",
    "small_noise_bias_network_any",
    "small_noise_third_cumulant",
    "small_noise_variance",
    "smoothing",
]
