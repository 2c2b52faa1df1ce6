"""Ours with noise outside, for the peers that know no other."""

from benchmarks.peers.ours import PACKAGES, prepare

__all__ = ["PACKAGES", "SITE", "prepare"]
SITE = "outside"
