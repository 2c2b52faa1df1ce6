"""The ladder of methods behind one signature: a stationary mean and covariance from each."""

from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.method import Method
from ctrnn_theory.stationary.registry import METHODS, predict, register_method

__all__ = ["METHODS", "Method", "StationaryLaw", "predict", "register_method"]
