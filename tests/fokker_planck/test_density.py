"""Moments, averages and marginals of a density, against plain sums over its nodes."""

import itertools

import numpy as np
import pytest

from ctrnn_theory.fokker_planck import Density

ROUNDING = 1e-13  # relative, of sums of some hundred terms


def random_density(n, rng=3):
    """Draw densities with uneven nodes and weights, a different number of them along each axis, and a current."""
    rng = np.random.default_rng(rng)
    counts = (5, 4, 6)[:n]
    axes = tuple(np.sort(rng.normal(size=k)) for k in counts)
    widths = tuple(rng.uniform(0.1, 1.0, size=k) for k in counts)
    return Density(axes, widths, rng.uniform(size=counts), rng.normal(size=(n, *counts)))


def nodes(density):
    """Return the place, the probability and the index along each axis of every node."""
    for index in itertools.product(*(range(len(axis)) for axis in density.axes)):
        place = np.array([axis[i] for axis, i in zip(density.axes, index, strict=True)])
        width = np.prod([w[i] for w, i in zip(density.widths, index, strict=True)])
        yield place, width * density.values[index], index


@pytest.mark.parametrize("n", [1, 2, 3])
def test_moments(n):
    density = random_density(n)
    mass = sum(weight for _, weight, _ in nodes(density))
    mean = sum(weight * place for place, weight, _ in nodes(density)) / mass
    second = sum(weight * np.outer(place - mean, place - mean) for place, weight, _ in nodes(density)) / mass
    assert density.n == n
    assert density.mass == pytest.approx(mass, rel=ROUNDING)
    np.testing.assert_allclose(density.mean, mean, rtol=0.0, atol=ROUNDING)
    np.testing.assert_allclose(density.covariance, second, rtol=0.0, atol=ROUNDING)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_expectation(n):
    density = random_density(n)
    direction = np.array([1.0, -2.0, 0.5])[:n]
    value = density.expectation(lambda h: np.sin(h @ direction))
    plain = sum(weight * np.sin(place @ direction) for place, weight, _ in nodes(density)) / density.mass
    assert isinstance(value, float)
    assert value == pytest.approx(plain, abs=ROUNDING)
    np.testing.assert_allclose(density.expectation(lambda h: h), density.mean, rtol=0.0, atol=ROUNDING)
    assert density.expectation(lambda h: h[:, -1] > 0.0) == pytest.approx(
        sum(weight for place, weight, _ in nodes(density) if place[-1] > 0.0) / density.mass, abs=ROUNDING
    )


KEPT = [keep for k in (1, 2, 3) for keep in itertools.permutations(range(3), k)]


@pytest.mark.parametrize("keep", KEPT, ids=str)
def test_marginal(keep):
    """The axes of the density and of the current are in the order of the indices."""
    density = random_density(3)
    marginal = density.marginal(keep)
    assert marginal.n == len(keep)
    for k, i in enumerate(keep):
        np.testing.assert_array_equal(marginal.axes[k], density.axes[i])
        np.testing.assert_array_equal(marginal.widths[k], density.widths[i])
    values, current = np.zeros_like(marginal.values), np.zeros_like(marginal.current)
    for _, weight, index in nodes(density):
        out = tuple(index[i] for i in keep)
        over = weight / density.values[index] / np.prod([density.widths[i][index[i]] for i in keep])
        values[out] += over * density.values[index]
        for k, i in enumerate(keep):
            current[(k, *out)] += over * density.current[(i, *index)]
    np.testing.assert_allclose(marginal.values, values, rtol=ROUNDING)
    np.testing.assert_allclose(marginal.current, current, rtol=0.0, atol=10 * ROUNDING)
    np.testing.assert_allclose(marginal.mean, density.mean[list(keep)], rtol=0.0, atol=ROUNDING)
    np.testing.assert_allclose(marginal.covariance, density.covariance[np.ix_(keep, keep)], rtol=0.0, atol=ROUNDING)


def test_marginal_of_a_marginal():
    density = random_density(3)
    for first, second, both in [((2, 0), 1, 0), ((2, 1, 0), (0, 2), (2, 0)), ((1, 2), (1, 0), (2, 1))]:
        twice, once = density.marginal(first).marginal(second), density.marginal(both)
        np.testing.assert_allclose(twice.values, once.values, rtol=ROUNDING)
        np.testing.assert_allclose(twice.current, once.current, rtol=0.0, atol=10 * ROUNDING)


def test_marginal_without_a_current():
    density = random_density(2)
    assert Density(density.axes, density.widths, density.values).marginal(np.int64(1)).current is None


@pytest.mark.parametrize("axes", [(), 2, (0, 0), (0, -1), (0, 3), -1])
def test_axes_that_are_none(axes):
    with pytest.raises(ValueError, match=r"^axes must be different numbers out of 0 to 1; got "):
        random_density(2).marginal(axes)


def test_shapes_must_fit():
    x, w = np.arange(3.0), np.ones(3)
    for axes, widths, values in [
        ((x,), (w,), np.ones(4)),
        ((x,), (w[:2],), w),
        ((x, x), (w,), np.ones((3, 3))),
        ((), (), x),
    ]:
        with pytest.raises(
            ValueError, match=r"^values must have a shape \(n₁, ..., n_N\) that axes and widths fit; got "
        ):
            Density(axes, widths, values)
    with pytest.raises(ValueError, match=r"^function must return a value for each of 3 states; got \(\)"):
        Density((x,), (w,), w).expectation(lambda h: 1.0)
