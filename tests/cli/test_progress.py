"""The progress bar of the commands, and the one protocol by which functions report to it."""

import sys

import pytest

import ctrnn_theory as ct
from ctrnn_theory.cli.progress import progress_bar
from ctrnn_theory.support.progress import reporter, silent

NET, NOISE = ct.CTRNN.single(0.5, 0.1, "tanh"), ct.Noise(inside=0.4)
SPEC = {
    "methods": ["mean_field"],
    "fixed": {"w": 2.0, "activation": "relu"},
    "axes": {"b": [-1.0, 1.0], "sigma": [0.5]},
}


def test_nothing_is_shown_where_there_is_no_terminal(capsys):
    with progress_bar("points") as show:
        show(3, 10, "text")
    assert capsys.readouterr() == ("", "")


def test_what_a_terminal_shows(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("points") as show:
        show(3, 10, "")
        show(10, 10, "2 [failed]")
    out, err = capsys.readouterr()
    assert out == ""
    for text in ("points", "10/10", "2 [failed]"):
        assert text in err


def test_without_a_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar("points") as show:
        show(1, 2, "")


def reports(call):
    found = []
    call(lambda *report: found.append(report))
    return found


def preference(progress):
    net = ct.CTRNN([[0.0]], 0.0, "relu", gamma=1.0, W_in=[[0.0]], W_out=[[1.0]], b_out=[-0.4])
    ct.preference(net, "feedforward", [0.0, 1.0], repeats=3, progress=progress)


CALLS = {
    "bias": lambda progress: ct.bias(NET, NOISE, methods=["mean_field", "exact"], progress=progress),
    "simulate": lambda progress: ct.simulate(NET, NOISE, steps=20, progress=progress),
    "train": lambda progress: ct.train("feedforward", 2, evaluations=40, rng=1, progress=progress),
    "preference": preference,
    "sweep": lambda progress: ct.sweep(SPEC, workers=1, progress=progress),
}


@pytest.mark.parametrize("name", CALLS)
def test_one_protocol(name):
    """Reports are (done, total, text): done goes up to the total, which stays."""
    found = reports(CALLS[name])
    done, total = [report[0] for report in found], {report[1] for report in found}
    assert done == sorted(done)
    assert total == {done[-1]}
    assert all(isinstance(text, str) and isinstance(number, int) for number, _, text in found)


def test_texts():
    assert [text for _, _, text in reports(CALLS["bias"])] == ["mean_field", "exact", ""]
    assert reports(CALLS["sweep"])[-1] == (2, 2, "1 failed")
    assert reports(CALLS["train"])[-1][2].startswith("loss 0.")


def test_what_cannot_be_called():
    assert reporter(None) is silent
    assert silent(1, 2, "") is None
    with pytest.raises(ValueError, match=r"^progress must be a function of \(done, total, text\), or None; got 3$"):
        ct.bias(NET, NOISE, progress=3)
