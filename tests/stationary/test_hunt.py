"""All methods on random networks over the whole range of parameters: no surprise, and no disagreement unstated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ctrnn_theory.stationary import METHODS
from tests.hunt import SIMULATED, Case, Outcome, Worker, disagreements, draw, faults, outcome, true_moments

Found = dict[Case, dict[str, Outcome]]
EXACT = ("gaussian_closure", "cumulant_closure", "exact", "simulation")  # without weights, and for a linear f
SLOPES = {"gelu": 1.13, "silu": 1.1, "erf": 1.13}  # largest slope of f, where it is not 1
QUICK = ("deterministic", "mean_field", "small_noise", "gaussian_closure", "cumulant_closure", "exact")


def listed(wrong: list[tuple[str, Case, str]]) -> str:
    """One line a failure, each with the case to run again."""
    return "\n".join(f"{method} on {case}: {what}" for method, case, what in wrong)


def surprises(found: Found, method: str) -> list[tuple[str, Case, str]]:
    """What is wrong with a method's laws, each seen by itself."""
    return [
        (method, case, what) for case, of in found.items() if method in of for what in faults(case, method, of[method])
    ]


def wrong_moments(found: Found) -> list[tuple[str, Case, str]]:
    """Where a method differs from moments that are known."""
    wrong = []
    for case, of in found.items():
        true = true_moments(case)
        for method in EXACT if true else ():
            law = of[method].law if method in of else None
            if law and law["converged"]:
                wrong += [(method, case, what) for what in disagreements(case, law, *true)]
    return wrong


def pairs(found: Found, one: str, other: str) -> Iterator[tuple[Case, dict, dict]]:
    """Converged laws of two methods."""
    for case, of in found.items():
        laws = [of[method].law if method in of else None for method in (one, other)]
        if all(law and law["converged"] for law in laws):
            yield case, *laws


def contracts(case: Case) -> bool:
    """Whether two states come closer in each step, whatever the noise, to half at the least in a time constant."""
    slope = SLOPES.get(case.activation, 1.0)
    return case.activation not in ("relu2", "step") and slope * np.linalg.norm(case.W, 2) <= 0.5


def far_closures(found: Found) -> list[tuple[str, Case, str]]:
    """Where the closure is farther from the exact mean than the skewness of the state, O(√γ), lets it be.

    A skewness κ shifts E f(a) by κ s/6 times an average of |He₃| at the most, s being the deviation of the state.
    """
    wrong = []
    for case, exact, closure in pairs(found, "exact", "gaussian_closure"):
        sd = np.sqrt(np.max(np.diag(exact["covariance"])))
        bound = np.sqrt(case.gamma) * sd + 1e-9 * np.max(np.abs(exact["mean"])) + exact["error"][0]
        off = np.max(np.abs(exact["mean"] - closure["mean"]))
        if contracts(case) and off > bound:
            wrong.append(("gaussian_closure", case, f"differs from the exact mean by {off:.3g}, above {bound:.3g}"))
    return wrong


# Quick, in this process -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few() -> Found:
    rng = np.random.default_rng(2)
    cases = [draw(rng, 1 if k % 4 else 2, wide=False) for k in range(14)]
    return {case: {method: outcome(case, method) for method in QUICK} for case in cases}


def test_a_few_networks(few):
    wrong = [fault for method in QUICK for fault in surprises(few, method)] + wrong_moments(few) + far_closures(few)
    assert not wrong, listed(wrong)
    laws = [of["exact"].law for of in few.values()]
    assert sum(law is not None and law["converged"] for law in laws) >= 8  # else little was tested


def test_the_hunt_would_notice():
    case = Case("tanh", ((0.0,),), (0.867,), 0.1, 1e4, 0.0)
    law = outcome(case, "exact").law
    assert law is not None
    assert not disagreements(case, law, *true_moments(case))
    moved = law | {"mean": law["mean"] - 6.9e-5}
    assert disagreements(case, moved, *true_moments(case))
    assert faults(case, "exact", Outcome(law=law | {"mean": np.array([1.1])}))
    assert faults(case, "exact", Outcome(law=law | {"covariance": np.array([[-1e-3]])}))
    assert faults(case, "exact", Outcome(law=law | {"converged": False, "message": ""}))
    assert faults(case, "exact", outcome(case._replace(gamma=2.0), "exact"))


# Slow, in a process of its own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many() -> Iterator[Found]:
    rng = np.random.default_rng(14)
    cases = [draw(rng, 1 + k % 3, wide=k % 2 == 0) for k in range(120)] + [draw(rng, 8, wide=False) for _ in range(4)]
    worker = Worker()
    found: Found = {}
    for case in cases:
        methods = [method for method in METHODS if method != "simulation" or case.gamma >= SIMULATED]
        found[case] = {method: worker.run(case, method) for method in methods}
    yield found
    worker.close()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_no_method_surprises(many, method):
    wrong = surprises(many, method)
    assert not wrong, listed(wrong)


@pytest.mark.slow
def test_known_moments(many):
    wrong = wrong_moments(many)
    assert not wrong, listed(wrong)


@pytest.mark.slow
def test_exact_and_simulation_agree(many):
    wrong = []
    for case, law, sampled in pairs(many, "exact", "simulation"):
        differ = disagreements(case, sampled, law["mean"], np.diag(law["covariance"]), law["error"])
        wrong += [("simulation", case, what) for what in differ]
    assert not wrong, listed(wrong)


@pytest.mark.slow
def test_closure_is_near_where_the_network_contracts(many):
    wrong = far_closures(many)
    assert not wrong, listed(wrong)
