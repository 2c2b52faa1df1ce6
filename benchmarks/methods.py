"""Accuracy and cost of every method on the reference cases: ``python -m benchmarks.methods [--write]``.

For each of the neurons of ``tests/reference_cases.py`` it measures how far the mean of each method is from the
reference, in standard deviations of the state, and the seconds of a processor that the second call takes. With
``--write`` the numbers are kept in ``benchmarks/methods.json``, from which ``python -m docs.generate`` makes the table
of docs/choosing_a_method.md.
"""

from __future__ import annotations

import argparse
import json
from time import process_time

import ctrnn_theory as ct
from benchmarks.__main__ import machine
from benchmarks.kept import keep
from benchmarks.processes import Found
from tests.reference_cases import REFERENCE_CASES, Case

OPTIONS = {"simulation": {"target_se": 1e-4, "rng": 1, "workers": 1}}


def measured(case: Case, method: str) -> Found | None:
    """Return the error of a method in one case and its seconds, or None if it does not apply."""
    net = ct.CTRNN.single(w=case.w, b=case.b, activation=case.activation, gamma=case.gamma)
    noise, options = ct.Noise(**{case.site: case.sigma}), OPTIONS.get(method, {})
    try:
        ct.predict(net, noise, method=method, **options)  # imports and compiles
        begin = process_time()
        law = ct.predict(net, noise, method=method, **options)
    except ct.NotApplicable:
        return None
    seconds, error = process_time() - begin, abs(law.mean[0] - case.mean) / case.std
    return {"method": method, "case": case.name, "site": case.site, "error": error, "seconds": seconds}


def report() -> Found:
    """Measure all methods in all cases."""
    found = [measured(case, method) for method in ct.METHODS for case in REFERENCE_CASES]
    return {"machine": machine(), "rows": [row for row in found if row is not None]}


def main() -> None:
    """Measure, and print the numbers or keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the numbers in benchmarks/methods.json")
    write, found = parser.parse_args().write, report()
    if write:
        keep("methods", found)
    else:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
