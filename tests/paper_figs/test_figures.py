"""Each figure shows what it says, at quick size: its headline numbers, and a drawing that can be read."""

from __future__ import annotations

from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from paper_figs import FIGURES
from paper_figs.make import FORMATS, figure_module, write

matplotlib.use("Agg")
SIMULATED = 5.0  # standard errors


def smoothing(found):
    # at the kink of relu mean field is m = s ψ(w m / s), with w = s = 1/2, m/s = 0.5468 by hand
    assert 0.53 < found["relu, inside"] < 0.57
    assert found["relu, outside"] < 0.25 * found["relu, inside"]
    assert found["gap"] < SIMULATED
    assert found["closure"] < 5e-4  # of σ; it is good to 0.2 % of the bias
    assert found["F(0; 1)"] == pytest.approx(1.0 / np.sqrt(2.0 * np.pi), abs=1e-12)


def bias_sigma(found):
    # the law of relu at its kink has no scale but σ
    assert found["relu, inside"] == pytest.approx(1.0, abs=1e-6)
    assert found["relu, outside"] == pytest.approx(1.0, abs=1e-6)
    # the next term is σ² times smaller, of order 1e-2 at the largest σ of the fit
    assert found["softplus, inside"] == pytest.approx(2.0, abs=1e-2)
    assert found["softplus, outside"] == pytest.approx(2.0, abs=1e-2)
    apart(found)


def bias_gamma(found):
    # corrections are of order γ, 0.1 at the end of the fit, times the share of the fluctuations in the bias
    for f in ("softplus", "relu"):
        assert found[f"{f}, inside"] == pytest.approx(0.0, abs=0.01)
    assert found["softplus, outside"] == pytest.approx(1.0, abs=0.03)
    assert found["relu, outside"] == pytest.approx(0.5, abs=0.02)
    apart(found)


def kinds(found):
    # a private gain inside of the same standard deviation acts as white noise does, but for its smaller share near zero
    assert found["white, inside"] == 1.0
    assert 0.8 < found["multiplicative, inside"] < 1.0
    assert 0.6 < found["coloured, inside"] < 0.9  # the negative recurrence damps what it can follow
    # outside the mean moves through the recurrence alone, w² γ / (2 - γ) of the variance for a linear neuron
    for kind in ("white", "multiplicative", "dropout"):
        assert 0.005 < found[f"{kind}, outside"] < 0.03
    assert found["coloured, outside"] > 4.0 * found["white, outside"]
    assert found["largest gap"] < SIMULATED


def hardware(found):
    # common multiplicative noise at the readout: the loss is L + 2 D q, or L + 2 D q/(1 + 2 D) after training, D = 0.1
    for name in ("layer/MC, gain", "reservoir/MC, gain at the readout"):
        assert 1.0 < found[name] < 1.2
    for kind in ("AU", "AC", "MU"):
        assert found[f"layer/{kind}, gain"] > 10.0
        assert found[f"reservoir/{kind}, gain at the readout"] > 100.0
    for network in ("layer", "reservoir"):
        assert found[f"{network}/MC, gain with an intercept"] > 1.2
    assert found["reservoir/MC, gain"] > 20.0  # noise of earlier steps is no common factor
    for key in ("layer/AU", "layer/AC", "layer/MU", "layer/MC", "reservoir/AU", "reservoir/MU"):
        assert found[f"{key}, worst in standard errors"] < SIMULATED
    for key in (
        "reservoir/AC",
        "reservoir/MC",
    ):  # of losses over four decades; the closure fails for strong common noise
        assert found[f"{key}, worst relative"] < 0.4


def variability(found):
    # published numbers at an input of 2 mV: closure to the last digit, simulation within its standard errors
    wanted = {"mean, excitatory": 3.366, "mean, inhibitory": 3.921, "std, excitatory": 0.915, "std, inhibitory": 1.009}
    for name, value in wanted.items():
        assert found[f"{name}, closure"] == pytest.approx(value, abs=6e-4)
    wanted = {"mean, excitatory": 3.351, "mean, inhibitory": 3.896, "std, excitatory": 0.861, "std, inhibitory": 0.958}
    for name, value in wanted.items():
        assert abs(found[f"{name}, simulation"] - value) < SIMULATED * found[f"{name}, error"] + 6e-4


def apart(found):
    """What is drawn beside the exact bias is near it: simulation, closure, and the expansion in little noise."""
    assert found["simulation, largest gap"] < SIMULATED
    assert found["closure, largest gap"] < 0.01
    assert found["small noise, largest gap"] < 0.02  # the next term is σ² times smaller, or of the order of γ's shift


def laws(found):
    for name in ("softplus", "tanh"):
        assert abs(found[f"{name}, mean"]) < 1e-6  # a density on a grid, and the Poisson equation
        assert found[f"{name}, diffusion"] < 0.12
        # Σ |count/M - p|/2 is √(bins/2πM) on average at most; of 2 000 trajectories, as if each had one sample
        assert found[f"{name}, histogram"] < 2.0 * np.sqrt(60 / (2.0 * np.pi * 2000))
    assert found["softplus, Gaussian"] < 0.1
    assert found["tanh, Gaussian"] > 0.5  # one hump where there are two


def cost(found):
    for name in ("one", "eight"):
        assert found[f"{name}, saved"] > 100.0
        assert found[f"{name}, closure"] < 1e-4


def regulator(found):
    assert found["relu, inside, 0.3"] == pytest.approx(0.5, abs=0.1)
    assert found["relu, inside, 2"] < -0.5  # below the kink
    assert found["relu, outside, 0.3"] > 0.4  # and not with noise outside
    assert found["relu, outside, 2"] > 0.4
    assert found["tanh, inside, 1"] > 3.5  # saturated, as far as the weights reach
    assert found["tanh, outside, 1"] < 0.8
    # training is by the exact loss, the least by the closure on a coarse grid
    assert 0.9 < found["at best"] < found["trained over least loss"] < 1.05


def switching(found):
    # latent law and simulation count the same switches, over times that differ by a factor of more than a million
    assert found["points"] >= 6
    assert found["largest gap"] < 1.0
    assert found["ratio"] == pytest.approx(1.0, abs=0.1)  # errors of 8 points of 5 to 10 % each
    assert found["longest"] > 1e9


def preference(found):
    # networks of a quarter to a half of the size, where the least of these, of 240 neurons, gains least
    for task, low in (("function", 3.0), ("feedforward", 1.4), ("path_integration", 5.0), ("cognitive", 1.05)):
        assert 0.4 < found[f"{task}, inside, preferred"] < 1.15
        assert found[f"{task}, inside, ratio"] > low
        assert abs(found[f"{task}, inside, preferred"] - found[f"{task}, inside, predicted_preferred"]) < 0.1
        assert found[f"{task}, inside, gap"] < 0.15
    assert 0.6 < found["maze, inside, preferred"] < 1.15
    assert found["maze, inside, success without noise"] < 0.3 < 0.7 < found["maze, inside, success"]
    for task in ("function", "feedforward", "path_integration", "cognitive", "maze"):
        assert found[f"{task}, outside, preferred"] < 0.15
        assert found[f"{task}, outside, ratio"] < 1.03
        assert found[f"{task}, inside, smoothed"] > 1.0  # the gain needs no noise


def phase(found):
    assert found["function, 64, preferred"] > 0.9
    assert found["function, 256, ratio"] > 2.0 * found["function, 64, ratio"] > 2.0 * found["function, 16, ratio"] > 2.0
    assert 0.6 < found["feedforward, 256, preferred"] < 0.8
    assert found["feedforward, 64, preferred"] < 0.1
    assert 0.03 < found["function, 256, sigma_c"] < found["function, 64, sigma_c"] < 0.3
    for task in ("function", "feedforward"):
        assert found[f"{task}, median gap to the law"] < 0.05  # of the square of the level
        assert found[f"{task}, near the law"] > 0.8
        assert found[f"{task}, outside, preferred"] < 1e-3
        assert found[f"{task}, outside, ratio"] < 1.0 + 1e-6
    assert found["alpha 16"] < 0.2 < 0.8 < found["alpha 0.25"]


def pytorch(found):
    least = {"relu": 50.0, "softplus": 5.0, "tanh": 25.0}
    for name, ratio in least.items():
        assert abs(found[f"{name}, preferred"] - 1.0) < 0.06
        assert abs(found[f"{name}, preferred"] - found[f"{name}, predicted"]) < 0.05
        assert found[f"{name}, ratio"] > ratio
        assert found[f"{name}, error of the prediction"] < 0.15  # 16 repeats
        assert found[f"{name}, repaired over least loss"] < 1.0


def absence(found):
    assert found["usual, preferred"] > 0.9
    assert found["usual, ratio"] > 10.0
    for name in ("weights", "linear", "variance", "residual"):
        assert found[f"{name}, preferred"] < 0.5
        assert found[f"{name}, ratio"] < 1.1
    for name in ("weights", "linear", "variance"):  # the variance outweighs the shift
        assert found[f"{name}, nu/2K"] > 1.0 > 20.0 * found["usual, nu/2K"]
    assert found["residual, nu/2K"] < 0.5  # the shift is large, but was not removed in training
    assert found["residual, left over K"] > 1.0 > 20.0 * found["usual, left over K"]


def threshold(found):
    assert found["networks"] == 10.0
    assert found["median gap to the closure"] < 0.03
    assert found["between the laws"] == 1.0
    assert found["outside, gain by their noise"] == 0.0


def operating(found):
    assert found["inside, within"] > 1.3 * found["outside, within"]
    assert found["inside, within, most noise"] > 2.0 * found["inside, within, least noise"]


def surrogate(found):
    assert found["least"] > 4.0


def drift(found):
    # noise off, the drift within |κ| < 1 is larger, and what is remembered is lost; repaired it is that with noise
    assert found["drift, repaired"] == pytest.approx(found["drift, with its noise"], rel=1e-9)
    assert found["drift, noise off"] > 3.0 * found["drift, with its noise"]
    for task in ("kept", "summed"):
        assert found[f"{task}, off"] > 2.0
        assert found[f"{task}, repaired"] < 1.0
        assert found[f"{task}, largest gap"] < SIMULATED  # standard errors beyond the error that is stated
        assert found[f"{task}, gap without noise"] < 1e-9  # exact


def resonance(found):
    # a weak signal has the ratio φ(θ/σ)²/(σ² Φ(1-Φ)), a function of θ/σ
    for theta in (0.5, 1.0, 1.5):
        assert 0.55 < found[f"threshold {theta:g}"] / theta < 0.75
    assert 0.6 < found["simulated, rms"] < 1.7  # of 36 ratios of t with seven degrees of freedom, whose rms is 1.18
    assert found["predicted"] < 0.15  # of 64 trials in each condition
    for sigma in (0.7, 1.0, 1.5):
        assert 0.7 < found[f"trained at {sigma:g}"] / sigma < 1.0


def orbit(found):
    # of 1 000 steps of 128 trajectories; the closure in each region takes no account of what happens at its border
    assert found["rate, error of the closure"] < 0.3
    assert found["random networks, median error of the closure"] < 0.05
    assert 16.0 < found["shortest dwell"] < found["longest dwell"] < 25.0
    assert found["dwell, error of the closure"] < 0.2
    assert found["emission, gap to the target"] < 0.02
    assert found["emission, error of the closure"] < 0.02
    assert found["without noise, end over begin"] < 1e-6  # one fixed point
    assert found["dwell, change with the level"] == 0.0  # to the bit, at powers of two
    assert found["stay at the weakest noise"] < 0.9 < found["stay at the strongest noise"]
    assert found["dwell with twice the kicks"] < found["dwell without kicks"]


def devices(found):
    assert found["apart without recurrence"] < SIMULATED < found["apart, negative"]
    assert found["apart, positive"] > 2.0 * SIMULATED
    assert found["spread of the bias, rms"] < 0.25  # the std of 40 devices is good to 0.11
    assert abs(found["loss, linear"]) < SIMULATED
    assert found["raised"] > 2.0
    assert all(found[f"left by {name}"] < 0.4 for name in ("readout", "biases", "all"))
    assert found["aged"] > 1.5
    assert found["aged, compensated"] < 1.0


HEADLINES = (
    smoothing, bias_sigma, bias_gamma, laws, cost, regulator, preference, phase, pytorch, absence, threshold,
    operating, surrogate, drift, resonance, kinds, variability, hardware, switching, orbit, devices,
)  # fmt: skip
LONG = {preference, phase, pytorch, drift, hardware, switching, orbit, devices}
"""Figures that take more than ten seconds."""


@pytest.mark.parametrize(
    "check",
    [pytest.param(one, marks=pytest.mark.slow if one in LONG else (), id=one.__name__) for one in HEADLINES],
)
def test_a_figure_shows_its_headline_and_can_be_read(check, tmp_path, monkeypatch):
    module = figure_module(check.__name__)
    data = {name: np.asarray(value) for name, value in module.compute(quick=True).items()}
    check(module.headline(data))
    pages = write(module, data, tmp_path)
    assert [page.suffix for page in pages] == [".pdf", ".png"]
    assert all(page.stat().st_size > 5000 for page in pages)
    figure = module.draw(data)
    monkeypatch.setattr(module, "draw", lambda data: figure)
    monkeypatch.setattr("paper_figs.make.FORMATS", {"pdf": FORMATS["pdf"]})
    (tmp_path / "again").mkdir()
    (again,) = write(module, data, tmp_path / "again")
    assert again.read_bytes() == pages[0].read_bytes()  # drawn again it is the same file
    assert figure.get_figwidth() <= 7.0
    assert_readable(figure)


def test_every_figure_is_tested():
    assert [check.__name__ for check in HEADLINES] == list(FIGURES)


def assert_readable(figure):
    """No text is cut off at the edge, and no two texts lie over one another."""
    FigureCanvasAgg(figure).draw()
    page = figure.bbox.padded(1.0)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    ticks = {id(label) for ax in figure.axes for label in hidden_ticks(ax)}
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if id(text) not in ticks]
    for text, box in boxes:
        assert page.containsx(box.x0), text
        assert page.containsx(box.x1), text
        assert page.containsy(box.y0), text
        assert page.containsy(box.y1), text
    for (one, box), (other, beside) in combinations(boxes, 2):
        assert not box.padded(-1.0).overlaps(beside.padded(-1.0)), (one, other)


def hidden_ticks(ax):
    """Labels of ticks that are not drawn: those outside the limits, and of axes switched off or shared."""
    for axis, (low, high) in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim()))):
        for which in ("major", "minor"):
            for tick in axis.get_major_ticks() if which == "major" else axis.get_minor_ticks():
                within = low - 1e-9 <= tick.get_loc() <= high + 1e-9
                for label, shown in (
                    (tick.label1, tick.label1.get_visible()),
                    (tick.label2, tick.label2.get_visible()),
                ):
                    if not (within and shown and ax.axison):
                        yield label


def test_text_over_text_is_found():
    figure, ax = plt.subplots()
    ax.text(0.5, 0.5, "one")
    ax.text(0.5, 0.5, "other")
    with pytest.raises(AssertionError, match="one"):
        assert_readable(figure)
    plt.close(figure)
