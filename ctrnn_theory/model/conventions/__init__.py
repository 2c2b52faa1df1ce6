"""The conventions of other codes: how they name their arrays, and what their noise is in our terms."""

from ctrnn_theory.model.conventions.convention import Convention
from ctrnn_theory.model.conventions.exchange import load_arrays, load_network, save_safetensors, to_arrays
from ctrnn_theory.model.conventions.from_torch import from_torch
from ctrnn_theory.model.conventions.registry import CONVENTIONS, halve_step, register_convention

__all__ = [
    "CONVENTIONS",
    "Convention",
    "from_torch",
    "halve_step",
    "load_arrays",
    "load_network",
    "register_convention",
    "save_safetensors",
    "to_arrays",
]
