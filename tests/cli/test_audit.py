"""The command `audit`."""

import json

import numpy as np
import pytest
from matplotlib import pyplot as plt

import ctrnn_theory as ct
from ctrnn_theory.cli.main import main

NET = {"W": np.array([[0.5, -0.4], [0.3, 0.2]]), "b": np.zeros(2), "W_in": np.ones((2, 1)), "W_out": np.ones((1, 2))}
INPUTS, TARGETS = np.array([[0.2], [0.8]]), np.array([[0.5], [1.5]])


@pytest.fixture
def files(tmp_path):
    np.savez(tmp_path / "net.npz", **NET, b_out=np.zeros(1))
    np.savez(tmp_path / "inputs.npz", inputs=INPUTS, targets=TARGETS)
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return (end.value.code, *capsys.readouterr())


GIVEN = ("--alpha", 0.2, "--sigma", 0.5, "--activation", "relu", "--checks", 0)


def test_it_prints_what_the_function_returns(capsys, files):
    options = (*GIVEN, "--inputs", files / "inputs.npz", "--levels", "0,0.5,1")
    code, out, err = run(capsys, "audit", files / "net.npz", *options, "--plot", files / "page.png")
    assert (code, err) == (0, "")
    net, noise = ct.load_network(files / "net.npz", alpha=0.2, sigma=0.5, activation="relu")
    report = ct.audit(net, noise, INPUTS, TARGETS, levels=[0.0, 0.5, 1.0], checks=0)
    assert out == report.table() + "\n"
    assert out.startswith("switching the noise off will ")
    assert plt.imread(files / "page.png").shape[:2] == (1050, 1350)  # the page, not its first picture alone
    code, out, _ = run(capsys, "audit", files / "net.npz", *options, "--json")
    found, true = json.loads(out), json.loads(json.dumps(report.to_dict()))
    assert found["predicted_loss"] == true["predicted_loss"]


def test_noise_by_the_convention_s_own_names(capsys, files):
    np.savez(files / "multitask.npz", kernel=np.vstack([NET["W_in"].T, NET["W"].T]), bias=NET["b"])
    options = ("--convention", "multitask", "--alpha", 0.2, "--activation", "relu", "--checks", 0)
    np.savez(files / "u.npz", inputs=INPUTS)
    ways = [("--sigma", 0.05), ("--noise", "sigma_rec=0.05")]
    texts = [run(capsys, "audit", files / "multitask.npz", *options, "--inputs", files / "u.npz", *way) for way in ways]
    assert texts[0][0] == 0
    assert texts[0][1] == texts[1][1]
    assert "noise inside 0.158" in texts[0][1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--inputs", "{}/net.npz"), "net.npz must hold inputs, and perhaps targets and weights; it holds"),
        (("--noise", "sigma_rec"), "--noise must be NAME=VALUE with a number; got 'sigma_rec'"),
        (("--convention", "none"), "convention must be one of paper, multitask"),
        (("--inputs", "{}/inputs.npz", "--levels", "1,0"), "levels must be at least 0 and ascending; got [1.0, 0.0]"),
        (("--plot", "x.doc"), "--plot must end in"),
    ],
)
def test_bad_input(capsys, files, arguments, message):
    filled = [argument.format(files) for argument in arguments]
    code, out, err = run(capsys, "audit", files / "net.npz", *GIVEN, *filled)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
