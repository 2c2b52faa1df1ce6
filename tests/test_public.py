"""The names that users import."""

from __future__ import annotations

import subprocess
import sys
import types
from importlib.util import find_spec

import pytest

import ctrnn_theory as ct

PACKAGES = {"derive", "fokker_planck", "plotting", "testing", "training"}
SCRIPT = """
import ctrnn_theory as ct
from joblib import Parallel, delayed

def mean(b):
    return ct.CTRNN.single(w=0.0, b=b).b[0]

print(sum(Parallel(2)(delayed(mean)(b) for b in (1.0, 2.0))))
"""


@pytest.mark.parametrize("name", ct.__all__)
def test_every_public_name_is_what_it_says(name):
    assert isinstance(getattr(ct, name), types.ModuleType) == (name in PACKAGES)


@pytest.mark.parametrize("name", sorted(set(ct.__all__) - PACKAGES - {"METHODS"}))
def test_no_module_has_the_name_of_a_public_function(name):
    # importing it would hide the function
    assert find_spec(f"ctrnn_theory.{name}") is None


def test_a_script_of_the_users_can_send_functions_to_other_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert float(done.stdout) == 3.0
