"""A network that grows is refused by every method alike: as divergence, or as out of its scope."""

import pytest

from ctrnn_theory import CTRNN, METHODS, Divergence, Noise, NotApplicable, evolve, predict

GROWING = {
    "relu": CTRNN.single(2.0, 0.5),
    "identity": CTRNN.single(-3.0, 0.5, "identity", gamma=1.0),
    "square": CTRNN.single(1.0, 0.5, "x**2"),
    "exponential": CTRNN.single(1.0, 0.5, "exp(x)", gamma=1.0),
    "sinh": CTRNN.single(1.0, 0.5, "sinh(x)", gamma=1.0),
    "two": CTRNN([[1.0, 0.5], [0.5, 1.0]], [0.5, 0.2], "exp(x)", gamma=1.0),
    "steep": CTRNN.single(1e9, 0.5),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("site", ["inside", "outside"])
def test_growth_is_divergence(name, method, site):
    options = {"max_steps": 2000, "rng": 0} if method == "simulation" else {}
    with pytest.raises((Divergence, NotApplicable)) as caught:
        predict(GROWING[name], Noise(**{site: 0.5}), method=method, **options)
    assert caught.type is Divergence or method in ("small_noise", "fokker_planck", "exact")


@pytest.mark.parametrize("method", ["gaussian_closure", "cumulant_closure", "simulation", "fokker_planck"])
@pytest.mark.parametrize("name", ["relu", "square", "exponential"])
def test_growth_in_time(name, method):
    with pytest.raises(Divergence):
        evolve(GROWING[name], Noise(inside=0.5), steps=400, method=method)


def test_what_has_no_average_at_the_start_is_bad_input():
    with pytest.raises(ValueError, match="36 standard deviations") as caught:
        predict(CTRNN.single(0.1, 0.5, "exp(x**2/15)"), Noise(inside=4.0), method="gaussian_closure")
    assert caught.type not in (Divergence, NotApplicable)
