"""Simulation by this package without control variates, and so without their table."""

from functools import partial

from benchmarks.peers import ours

SITE = "inside"
PACKAGES = ours.PACKAGES
prepare = partial(ours.prepare, control_variate=False)
