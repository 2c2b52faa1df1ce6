"""The ladder of methods behind one signature: a stationary mean and covariance from each."""

from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.registry import METHODS, predict

__all__ = ["METHODS", "StationaryLaw", "predict"]
