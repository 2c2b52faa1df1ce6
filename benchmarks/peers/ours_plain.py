"""Ours without the table that the control variate needs: what a simulation without it measures with."""

from functools import partial

from benchmarks.peers import ours

SITE = "inside"
PACKAGES = ours.PACKAGES
prepare = partial(ours.prepare, control_variate=False)
