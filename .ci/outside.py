"""Whether an installed package works: run outside the repository, in an environment that holds the wheel."""

import importlib
import sysconfig
from pathlib import Path

from hypothesis import given, settings

import ctrnn_theory as ct
from ctrnn_theory.testing import assert_stationary, networks

assert Path(ct.__file__).is_relative_to(sysconfig.get_path("purelib")), ct.__file__

names = [getattr(ct, name) for name in ct.__all__]
for module in ("derive", "fokker_planck", "plotting", "testing", "training", "training.tasks"):
    place = importlib.import_module(f"ctrnn_theory.{module}")
    names += [getattr(place, name) for name in place.__all__]


@settings(max_examples=2, deadline=None)
@given(networks(n=1, activations=["tanh", "relu"]))
def check(net):
    """Check the exact law of a network, as users check theirs."""
    noise = ct.Noise(inside=0.5, outside=0.1)
    assert_stationary(ct.predict(net, noise, method="exact"), net, noise)


check()
print(f"{len(names)} public names, ctrnn_theory {ct.__version__}\n{ct.cite()}")
