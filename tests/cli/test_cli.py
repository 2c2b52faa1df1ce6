import json
import os
import re
import subprocess
import sys

import pytest

import ctrnn_theory as ct
from ctrnn_theory.activations import BUILTIN
from ctrnn_theory.cli.console import _letters
from ctrnn_theory.cli.main import main

QUICK = ["--methods", "mean_field,gaussian_closure,exact"]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


def test_table(capsys):
    code, out, err = run(capsys, "bias", "relu", "--w", 0.5, "--b", 0.1, "--sigma-in", 0.5, *QUICK)
    assert (code, err) == (0, "")
    assert "noise-free fixed point h* = 0.2" in out
    assert re.search(r"^exact +0\.37703950 +\+0\.17703950 +0\.108885", out, re.M)


def test_json(capsys):
    code, out, _ = run(capsys, "bias", "relu", "--w", 0.5, "--b", 0.1, "--sigma-in", 0.5, "--json", *QUICK)
    data = json.loads(out)
    assert code == 0
    assert data["methods"]["exact"]["mean"] == pytest.approx([0.3770394962], abs=1e-9)


def test_an_expression_of_the_user(capsys):
    code, out, _ = run(capsys, "bias", "log(1 + exp(2*x))/2", "--sigma-out", 0.3, *QUICK)
    assert code == 0
    assert "outside 0.3" in out


def test_network_file_with_input(capsys, tmp_path):
    path = tmp_path / "net.npz"
    ct.CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], "tanh", W_in=[[1.0], [0.0]]).save(path)
    code, out, err = run(capsys, "bias", "--network", path, "--input", "0.3", "--methods", "mean_field", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["input"] == [0.3]
    assert run(capsys, "bias", "tanh", "--network", path, "--methods", "mean_field")[0] == 0
    code, _, err = run(capsys, "bias", "--network", path, "--max-bytes", 100)
    assert code == 2
    assert "more than max_bytes, which is 100" in err
    assert run(capsys, "bias", "--network", path, "--max-bytes", 10_000, "--methods", "mean_field")[0] == 0


def test_plot_is_written(capsys, tmp_path):
    path = tmp_path / "bias.png"
    assert run(capsys, "bias", "relu", "--plot", path, *QUICK)[0] == 0
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert list(tmp_path.iterdir()) == [path]


def test_derive(capsys):
    code, out, err = run(capsys, "derive", "--order", 2, "--site", "outside")
    assert (code, err) == (0, "")
    assert out.startswith("delta = f2*gamma*sigma**2*w**2/(2*L**2*P2) + O(σ⁴)")
    assert "h* is stable" in out
    assert run(capsys, "derive", "--order", 2, "--site", "out")[1] == out
    inside = run(capsys, "derive", "--order", 2)[1]
    assert inside != out
    assert run(capsys, "derive", "--order", 2, "--site", "in")[1] == inside
    _, latex, _ = run(capsys, "derive", "tanh", "--order", 2, "--latex")
    assert r"\tanh" in latex
    assert run(capsys, "derive", "relu", "--formula", "smoothing")[1].startswith("F = ")


def test_lists(capsys):
    _, out, _ = run(capsys, "list", "activations")
    assert [line.split()[0] for line in out.splitlines()] == list(BUILTIN)
    _, out, _ = run(capsys, "list", "formulas")
    assert [line.split()[0] for line in out.splitlines()] == list(ct.derive.FORMULAS)
    _, out, _ = run(capsys, "list", "methods")
    assert [line.split()[0] for line in out.splitlines()] == list(ct.METHODS)
    _, out, _ = run(capsys, "list", "tasks")
    assert [line.split()[0] for line in out.splitlines()] == list(ct.training.tasks.TASKS)


TRAIN = ["train", "feedforward", "--neurons", 4, "--sigma-in", 0.4, "--evaluations", 200]


def test_train_then_preference(capsys, tmp_path):
    place = tmp_path / "run"
    code, out, err = run(capsys, *TRAIN, "--set", "conditions=8", "--out", place)
    assert (code, err) == (0, "")
    assert out.startswith("feedforward: 4 relu neurons, gamma = 1; noise inside 0.4\nloss ")
    assert f"ctrnn-theory preference {place}" in out
    code, out, _ = run(capsys, "train", "--resume", "--out", place, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["task_settings"]["conditions"] == 8
    assert found["found"]["loss"] == ct.Training.load(place).loss
    code, out, err = run(
        capsys, "preference", place, "--levels", "0,0.5,1", "--repeats", 50, "--plot", tmp_path / "p.svg"
    )
    assert (code, err) == (0, "")
    rows = [line.split()[0] for line in out.splitlines() if line]
    assert rows[rows.index("level") :][:4] == ["level", "0", "0.5", "1"]
    assert (tmp_path / "p.svg").read_bytes()[:5] == b"<?xml"
    code, out, _ = run(capsys, "preference", place, "--levels", "0,0.5,1", "--repeats", 50, "--json")
    assert json.loads(out)["levels"] == [0.0, 0.5, 1.0]


def test_train_by_decoders(capsys, tmp_path):
    place = tmp_path / "run"
    command = ["train", "function", "--method", "decoders", "--neurons", 64, "--alpha", 1.2, "--beta", 1.8]
    code, out, err = run(capsys, *command, "--sigma-in", 0.5, "--out", place)
    assert (code, err) == (0, "")
    assert "after 1 evaluation in" in out
    assert "(decoders solved)\nK = " in out
    code, out, _ = run(capsys, "train", "--resume", "--out", place, "--json")
    found, kept = json.loads(out), ct.Training.load(place)
    assert (found["method"], found["alpha"], found["beta"]) == ("decoders", 1.2, 1.8)
    assert found["found"]["sigma_c"] == kept.sigma_c < 0.5
    assert kept.loss < 0.02
    code, out, _ = run(capsys, "preference", place, "--levels", "0,0.8,0.9,1,1.1", "--repeats", 9, "--json")
    assert code == 0
    assert json.loads(out)["preferred"] > 0.7
    code, out, _ = run(
        capsys,
        "train",
        "function",
        "--method",
        "decoders",
        "--set",
        "feedback=true",
        "--out",
        tmp_path / "fed",
        "--json",
    )
    assert json.loads(out)["task_settings"]["feedback"] is True


def test_resumed_command_names_what_differs(capsys, tmp_path):
    place = tmp_path / "run"
    run(capsys, *TRAIN, "--out", place)
    assert run(capsys, *TRAIN, "--out", place, "--resume")[0] == 0
    code, out, err = run(capsys, *TRAIN, "--seed", 3, "--out", place, "--resume")
    assert (code, out) == (2, "")
    assert "differs in seed" in err
    code, out, err = run(capsys, *TRAIN, "--out", place)
    assert (code, out) == (2, "")
    assert "out must be empty, or a run that is to be resumed" in err


BAD = {
    "no activation": (["bias"], "ACTIVATION must be given"),
    "unknown activation": (["bias", "reluu"], "relu"),
    "gamma": (["bias", "relu", "--gamma", 1.5], "gamma must be in (0, 1]; got 1.5"),
    "nan weight": (["bias", "relu", "--w", "nan"], "W must be finite; it holds nan"),
    "infinite bias": (["bias", "relu", "--b", "inf"], "b must be finite; it holds inf"),
    "negative noise": (
        ["bias", "relu", "--sigma-in", -1],
        "--sigma-in must be a standard deviation, at least 0; got -1",
    ),
    "not a number": (["bias", "relu", "--w", "abc"], "Invalid value for '--w'"),
    "unknown method": (["bias", "relu", "--methods", "magic"], "methods must be among"),
    "unknown option": (["bias", "relu", "--colour", "red"], "No such option"),
    "unknown command": (["bais"], "No such command"),
    "seed": (["bias", "relu", "--seed", -1], "--seed must be at least 0; got -1"),
    "input without weights": (["bias", "relu", "--input", "1"], "u must be None for a network without W_in"),
    "input no numbers": (["bias", "relu", "--input", "1,b"], "--input must be numbers separated by commas"),
    "plot format": (["bias", "relu", "--plot", "x.docx"], "--plot must end in one of"),
    "plot folder": (["bias", "relu", "--plot", "/nowhere/x.png"], "--plot must be a file in a folder that exists"),
    "plot without noise": (["bias", "relu", "--sigma-in", 0, "--plot", "x.png"], "--plot must come with noise"),
    "no file": (["bias", "--network", "missing.npz"], "missing.npz must be a network file"),
    "file and weight": (
        ["bias", "--network", "missing.npz", "--w", 1],
        "--w must be left out with --network",
    ),
    "bytes without a file": (["bias", "relu", "--max-bytes", 9], "--max-bytes must be left out without --network"),
    "diverges": (["bias", "relu", "--w", 2, "--b", 1], "W must"),
    "order": (["derive", "--order", 3], "order must be even and at least 2; got 3"),
    "site": (["derive", "--site", "left"], 'site must be "inside" or "outside"; got'),
    "formula": (["derive", "--formula", "magic"], "formula must be one of"),
    "no closed form": (["derive", "tanh", "--formula", "smoothing"], "tanh"),
    "target": (["bias", "relu", "--target-se", 0], "target_se must be"),
    "no task": (["train", "--out", "x"], "TASK must be given unless --resume is"),
    "unknown task": (["train", "chess", "--out", "x"], "task must be a Task, or one of regulator, function"),
    "no folder": (["train", "function"], "Missing option '--out'"),
    "setting": (
        ["train", "function", "--set", "colour=red", "--out", "x"],
        "setting of function must be one of target",
    ),
    "no setting": (["train", "function", "--set", "steps", "--out", "x"], "--set must be NAME=VALUE; got 'steps'"),
    "kind": (["train", "function", "--set", "steps=x", "--out", "x"], "steps of function must be of type int; got 'x'"),
    "target code": (["train", "function", "--set", "target=open('x')", "--out", "x"], "activation"),
    "loss": (["train", "maze", "--loss", "closure", "--out", "x"], "loss must be one of simulation for maze"),
    "train noise": (["train", "function", "--sigma-out", -1, "--out", "x"], "--sigma-out must be a standard deviation"),
    "nothing to resume": (["train", "--resume", "--out", "missing"], "missing has no run.json"),
    "option without task": (["train", "--resume", "--neurons", 3, "--out", "x"], "TASK must be given with --neurons"),
    "training method": (
        ["train", "function", "--method", "adam", "--out", "x"],
        "method must be one of cma, decoders, decoders+cma; got 'adam'",
    ),
    "alpha of cma": (["train", "function", "--alpha", 1, "--out", "x"], "alpha must not be given with the method cma"),
    "alpha": (
        ["train", "function", "--method", "decoders", "--alpha", -1, "--out", "x"],
        "alpha must be a positive number; got -1",
    ),
    "beta": (
        ["train", "function", "--method", "decoders", "--beta", -1, "--out", "x"],
        "beta must be a number of at least 0; got -1",
    ),
    "step of decoders": (
        ["train", "function", "--method", "decoders", "--step", 1, "--out", "x"],
        "step must not be given with the method decoders",
    ),
    "no latent system": (
        ["train", "regulator", "--method", "decoders", "--neurons", 1, "--out", "x"],
        "task must have a latent system to be learned by decoders; regulator has none",
    ),
    "truth": (
        ["train", "function", "--set", "feedback=maybe", "--out", "x"],
        "feedback of function must be of type bool; got 'maybe'",
    ),
    "no run": (["preference", "missing"], "missing has no run.json"),
    "levels": (["preference", "missing", "--plot", "x.doc"], "--plot must end in"),
    "import": (["bias", "__import__('os').system('id')"], "activation"),
    "attribute": (["bias", "x.__class__"], "activation"),
    "lambda": (["bias", "(lambda: 1)()"], "activation"),
    "tower": (["bias", "9**9**9**9"], "activation"),
    "huge": (["bias", "x+" * 500_000 + "x"], "activation"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_status_two(capsys, case):
    arguments, message = BAD[case]
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("ctrnn-theory: ")
    assert err.count("\n") == 1
    assert len(err) < 400


def command(*arguments, text=True, **environment):
    """Run the command in a process of its own."""
    call = [sys.executable, "-m", "ctrnn_theory", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=text, env=os.environ | environment)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "methods"], ["expansion of mean and covariance in powers of sigma;", "Fokker", "Planck equation"]),
        (["derive", "--order", 2, "--site", "outside"], ["+ O(sigma^4)", "1 - gamma (1 - w f1)"]),
    ],
)
def test_what_an_encoding_lacks_is_printed_in_other_letters(encoding, arguments, words):
    done = command(*arguments, PYTHONIOENCODING=encoding, text=False)
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode(encoding)
    for word in words:
        assert word in out


def test_letters_in_ascii():
    assert "".join(map(_letters, "σΣ⁴₂é–≤−Δ")) == "sigmaSigma^42e-<=-Delta"
    assert _letters("漢") == "\\u6f22"
    assert _letters("\udcff") == "\\udcff"


def test_an_error_of_the_encoding_is_printed_too():
    done = command("derive", "σ漢", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert r"got 'sigma\u6f22'" in done.stderr


def test_only_own_errors_are_bad_input(capsys, monkeypatch):
    """LinAlgError and UnicodeError are ValueErrors that say nothing of what was given."""
    import numpy as np

    import ctrnn_theory.analysis.bias as module

    def raising(error):
        def broken(*args, **kwargs):
            raise error

        return broken

    for error, status in (
        (np.linalg.LinAlgError("singular"), 1),
        (UnicodeEncodeError("ascii", "σ", 0, 1, "ordinal not in range"), 1),
        (json.JSONDecodeError("no JSON", "", 0), 1),
        (ValueError("u must be finite"), 2),
        (ct.NotApplicable("not here"), 2),
        (ct.Divergence("W must be small"), 2),
    ):
        monkeypatch.setattr(module, "bias", raising(error))
        code, out, err = run(capsys, "bias", "relu")
        assert (code, out, err.count("\n")) == (status, "", 1)


@pytest.mark.skipif(sys.platform == "win32", reason="shells differ")
@pytest.mark.parametrize(
    ("redirection", "status", "error"),
    [
        ("| true", 1, ""),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("> /dev/full", 1, "ctrnn-theory: OSError: the output cannot be written: No space left on device\n"),
    ],
)
def test_a_stream_that_is_closed_or_full(redirection, status, error):
    if "full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("no such device")
    script = f"set -o pipefail; {sys.executable} -m ctrnn_theory list methods {redirection}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.returncode in (status, 0) if "|" in redirection else done.returncode == status
    assert done.stderr == error


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nosuch", "qtagg"])
def test_a_picture_needs_no_backend_of_the_users(backend, tmp_path):
    picture = tmp_path / "x.png"
    done = command("bias", "relu", "--methods", "mean_field", "--plot", picture, MPLBACKEND=backend)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("relu, w = 0.5")
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_the_backend_of_the_process_stays_as_it_is(capsys, monkeypatch, tmp_path):
    import matplotlib

    monkeypatch.setenv("MPLBACKEND", "template")
    before = matplotlib.get_backend()
    assert run(capsys, "bias", "relu", "--methods", "mean_field", "--plot", tmp_path / "x.svg")[0] == 0
    assert (os.environ["MPLBACKEND"], matplotlib.get_backend()) == ("template", before)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_computed_is_printed_though_the_picture_fails(capsys, monkeypatch, tmp_path, as_json):
    def broken(self, ax):
        raise RuntimeError("no ink")

    monkeypatch.setattr(ct.BiasReport, "plot", broken)
    extra = ["--json"] if as_json else []
    code, out, err = run(capsys, "bias", "relu", *QUICK, "--plot", tmp_path / "x.png", *extra)
    assert (code, err) == (1, "ctrnn-theory: RuntimeError: no ink\n")
    assert "gaussian_closure" in out
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_network_is_left_as_it_was(capsys, tmp_path):
    path = tmp_path / "net.npz"
    ct.CTRNN.single(0.5).save(path)
    half = path.read_bytes()[:150]
    path.write_bytes(half)
    code, _, err = run(capsys, "bias", "--network", path)
    assert code == 2
    assert "must be a network file" in err
    assert path.read_bytes() == half


def test_any_other_failure_is_status_one_without_traceback(capsys, monkeypatch):
    import ctrnn_theory.analysis.bias as module

    def broken(*args, **kwargs):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(module, "bias", broken)
    code, _, err = run(capsys, "bias", "relu")
    assert (code, err) == (1, "ctrnn-theory: RuntimeError: out of luck\n")


def test_help_imports_nothing_heavy():
    heavy = ["numpy", "scipy", "sympy", "numba", "matplotlib", "rich"]
    script = f"""
import sys
from ctrnn_theory.cli.main import main
from ctrnn_theory.cli.console import _letters
try:
    main(["bias", "--help"])
except SystemExit as exit_:
    assert exit_.code == 0
print([name for name in {heavy!r} if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_import_is_light():
    script = "import sys, ctrnn_theory; print([m for m in ('numpy', 'sympy', 'numba') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_module_runs_as_the_command():
    out = subprocess.run([sys.executable, "-m", "ctrnn_theory", "--version"], capture_output=True, text=True)
    assert out.returncode == 0
    assert ct.__version__ in out.stdout
