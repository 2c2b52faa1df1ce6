"""What a run does not need, it does not import."""

import json
import subprocess
import sys

import pytest

RUN = """
import json, sys
from ctrnn_theory.cli.main import main
try:
    main({arguments})
except SystemExit as end:
    print(json.dumps([end.code, [name for name in {modules} if name in sys.modules]]))
"""
NEVER = ["sympy", "scipy.interpolate", "scipy.optimize", "scipy.sparse", "matplotlib", "xarray", "joblib"]
SOLVERS = ["ctrnn_theory.fokker_planck", "ctrnn_theory.integrators", "ctrnn_theory.stationary.cumulant_closure"]


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "step"])
@pytest.mark.parametrize(
    ("methods", "modules"),
    [(["--methods", "exact,gaussian_closure"], [*NEVER, *SOLVERS, "numba"]), ([], NEVER)],
    ids=["two methods", "all methods"],
)
def test_imports_of_bias(activation, methods, modules):
    code = RUN.format(arguments=["bias", activation, *methods], modules=modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]
