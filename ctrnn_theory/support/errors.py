"""Errors that a method raises if it has no stationary law to return."""

from __future__ import annotations


class NotApplicable(ValueError):
    """The method cannot be applied to this network or noise; the message gives the reason."""


class Divergence(ValueError):
    """The state grows without bound, so that no stationary law exists."""
