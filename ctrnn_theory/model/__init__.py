"""The network and its noise."""

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise

__all__ = ["CTRNN", "Noise"]
