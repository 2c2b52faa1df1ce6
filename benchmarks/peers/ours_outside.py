"""Simulation by this package with noise outside, for the peers that have no noise inside."""

from benchmarks.peers.ours import PACKAGES, prepare

__all__ = ["PACKAGES", "SITE", "prepare"]
SITE = "outside"
