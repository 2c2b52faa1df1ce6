"""Runs recorded to a folder: the same bits as in memory however they are cut, and nothing is lost."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

from ctrnn_theory.integrators import Path, simulate, store, trajectory
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.files import Unwritten
from ctrnn_theory.support.run_folder import Folder
from tests.run_folders import rewritten

FROM_HERE = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
"""Environment of a process that runs this file as a script, and imports the helpers beside it."""
NET = CTRNN([[0.2, -0.5], [0.5, 0.1]], [0.1, 0.2], "tanh", 0.2, W_in=[[1.0], [0.0]], W_out=[[1.0, 2.0]], b_out=[3.0])
NOISE = Noise(inside=0.4, outside=[[0.1], [0.2]])
STEPS, TRAJECTORIES = 700, 70  # more than two epochs of the variates, and more than a block of them
U = np.sin(np.arange(STEPS) / 5.0)[:, None]
START = np.random.default_rng(1).normal(size=(TRAJECTORIES, 2))
OPTIONS = {"steps": STEPS, "trajectories": TRAJECTORIES, "record_every": 3, "start": START, "rng": 5, "workers": 1}


def recorded(out, resume=True, **options):
    return simulate(NET, NOISE, out=out, resume=resume, **{"u": U} | OPTIONS | options)


def cut(out, **options):
    """Leave a run after its first chunk."""
    with pytest.raises(ZeroDivisionError):
        recorded(out, progress=lambda done, total, text: 1 / 0, **options)


@pytest.fixture(scope="module")
def whole():
    return simulate(NET, NOISE, U, **OPTIONS)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(trajectory, "CHUNK_BYTES", 40 * TRAJECTORIES * 2 * 8)  # 6 chunks of 40 rows


def equal(path, whole):
    return np.array_equal(path.h, whole.h) and np.array_equal(path.time, whole.time)


def test_a_folder_holds_what_memory_would(tmp_path, whole, small_chunks):
    path = recorded(tmp_path / "run", resume=False)
    assert equal(path, whole)
    with pytest.raises(ValueError, match="read-only"):
        path.h[0] = 0.0
    loaded = Path.load(tmp_path / "run")
    assert equal(loaded, whole)
    assert np.array_equal(loaded.output, whole.output)
    assert np.array_equal(np.load(tmp_path / "run" / "h.npy"), whole.h)
    assert sorted(os.listdir(tmp_path / "run")) == [".lock", "h.npy", "net.npz", "noise.json", "run.json"]


def test_a_run_cut_after_every_chunk_goes_on(tmp_path, whole, small_chunks):
    seen = []

    def stop(done, total, text):
        seen.append((done, total))
        raise KeyboardInterrupt

    for _ in range(6):
        with pytest.raises(KeyboardInterrupt):
            recorded(tmp_path / "run", progress=stop)
        assert np.array_equal(Path.load(tmp_path / "run").h, whole.h[: seen[-1][0]])
    assert seen == [(min(1 + 40 * k, 234), 234) for k in range(1, 7)]
    assert equal(recorded(tmp_path / "run", progress=stop), whole)  # finished: it is not called


CALLS = {
    "fsync": (os, 16),
    "replace": (os, 9),
    "ftruncate": (os, 1),
    "posix_fallocate": (os, 1),
    "record": (Ensemble, 6),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_run_cut_in_any_call_goes_on(tmp_path, whole, small_chunks, monkeypatch, name):
    owner, least = CALLS[name]
    if not hasattr(owner, name):
        pytest.skip(f"no {name} here")
    original, calls, stop = getattr(owner, name), 0, 0

    def interrupted(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == stop:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, interrupted)
    for number in range(1, 50):
        calls, stop = 0, number
        try:
            path = recorded(tmp_path / f"{number}")
        except KeyboardInterrupt:
            stop = 0
            assert equal(recorded(tmp_path / f"{number}"), whole)
        else:
            break
    assert equal(path, whole)
    assert number > least


def test_states_are_on_disk_before_they_count(tmp_path, small_chunks, monkeypatch):
    events, run = [], (tmp_path / "run").resolve()
    fsync, replace = os.fsync, os.replace

    def replaced(source, target):
        if os.path.dirname(target) == str(run):  # not what Numba keeps
            events.append(os.path.basename(target))
        replace(source, target)

    def synced(handle):
        if (run / "h.npy").exists() and os.path.samestat(os.fstat(handle), os.stat(run / "h.npy")):
            events.append("h.npy")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    recorded(tmp_path / "run")
    assert events == ["run.json", "net.npz", "noise.json"] + ["h.npy", "run.json"] * 7


LONG = {"steps": 60_000, "u": None, "trajectories": 5, "start": None, "record_every": 3}


def child(folder):
    """Record a row at a time, which takes longer than it lives."""
    trajectory.CHUNK_BYTES = 1
    print("ready", flush=True)
    recorded(folder, progress=lambda done, total, text: print(done, flush=True), **LONG)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_run_goes_on(tmp_path):
    rng, folder, rows = np.random.default_rng(0), tmp_path / "run", [0]
    for delay in [None, *rng.uniform(0.0, 0.1, 3)]:
        process = subprocess.Popen([sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, env=FROM_HERE)
        assert process.stdout.readline() == b"ready\n"
        if delay is not None:
            assert process.stdout.readline() > b"0"  # it records
            time.sleep(delay)
        process.kill()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        found = store.read(Folder(folder, store.KIND))
        rows.append(found.rows if found else 0)
    assert rows[1:] == sorted(set(rows[1:]))  # all but the first were cut while they recorded
    assert rows[-1] < 20_001
    assert np.array_equal(recorded(folder, **LONG).h, simulate(NET, NOISE, **OPTIONS | LONG).h)


def test_a_second_run_is_refused_while_one_writes(tmp_path, whole, small_chunks):
    refused = 0

    def second(done, total, text):
        nonlocal refused
        with pytest.raises(ValueError, match=r"^out must not be written to by another process"):
            recorded(tmp_path / "run")
        refused += 1
        assert len(Path.load(tmp_path / "run").h) == done  # but it may be read

    assert equal(recorded(tmp_path / "run", progress=second), whole)
    assert refused == 6


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_folder_holds_is_not_lost(tmp_path, resume):
    (tmp_path / "h.npy").write_text("precious")
    with pytest.raises(ValueError, match=r"^out must be empty.* holds h.npy"):
        recorded(tmp_path, resume=resume)
    assert os.listdir(tmp_path) == ["h.npy"]
    assert (tmp_path / "h.npy").read_text() == "precious"


def test_a_run_is_not_written_over(tmp_path, whole):
    recorded(tmp_path, resume=False)
    with pytest.raises(ValueError, match=r"^out must be empty, or a run that is to be resumed"):
        recorded(tmp_path, resume=False, rng=6)
    assert equal(Path.load(tmp_path), whole)


@pytest.mark.parametrize("out", ["file", "missing/run"])
def test_no_place_for_a_folder(tmp_path, out):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^out must be a folder, in one that exists; got"):
        recorded(tmp_path / out)


def test_resume_needs_a_folder():
    with pytest.raises(ValueError, match=r"^resume must come with out"):
        recorded(None)


CHANGES = {
    "steps (700 there, 699 here)": {"steps": 699, "u": U[:699]},
    "record_every (3 there, 4 here)": {"record_every": 4},
    "trajectories (70 there, 69 here)": {"trajectories": 69, "start": START[:69]},
    "gamma (0.2 there, 0.3 here)": {"gamma": 0.3},
    "activation (tanh there, relu here)": {"activation": "relu"},
    "W": {"W": [[0.2, -0.5], [0.5, 0.2]]},
    "b or u": {"u": U + 1e-9},
    "readout": {"W_out": None, "b_out": None},
    "noise": {"noise": Noise(inside=0.4)},
    "start": {"start": START + 1e-9},
    "rng": {"rng": 6},
}
FOLLOWS = {"steps": ", b or u", "trajectories": ", start"}  # what cannot but differ as well


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_of_other_settings_is_named(tmp_path, small_chunks, name):
    cut(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    change = dict(CHANGES[name])
    fields = ("W", "b", "activation", "gamma", "W_in", "W_out", "b_out")
    net = CTRNN(**{field: change.pop(field) if field in change else getattr(NET, field) for field in fields})
    with pytest.raises(ValueError, match=r"^out must hold a run of the same settings") as caught:
        simulate(net, out=tmp_path, resume=True, **{"u": U, "noise": NOISE} | OPTIONS | change)
    assert str(caught.value).partition(" differs in ")[2] == name + FOLLOWS.get(name.split()[0], "")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_without_a_seed_the_run_keeps_its_own(tmp_path, small_chunks):
    cut(tmp_path, rng=None)
    path = recorded(tmp_path, rng=None)
    key = np.array(json.loads((tmp_path / "run.json").read_text())["settings"]["rng"], np.uint64)
    again = Ensemble(NET, NOISE, U @ NET.W_in.T + NET.b, trajectories=TRAJECTORIES, workers=1)
    again.use(key)
    again.place(START)
    assert np.array_equal(path.h[1:], again.record(233, 3, TRAJECTORIES))
    with pytest.raises(ValueError, match="differs in rng"):
        recorded(tmp_path, rng=np.random.default_rng(0))


def test_the_same_generator_goes_on(tmp_path, small_chunks):
    cut(tmp_path, rng=np.random.default_rng(3))
    whole = simulate(NET, NOISE, U, **OPTIONS | {"rng": np.random.default_rng(3)})
    assert equal(recorded(tmp_path, rng=np.random.default_rng(3)), whole)


@pytest.mark.parametrize("wrong", ["variates", "states"])
def test_a_last_row_that_does_not_come_out_again_is_noticed(tmp_path, small_chunks, monkeypatch, wrong):
    cut(tmp_path)
    if wrong == "variates":
        seek = Ensemble.seek
        monkeypatch.setattr(Ensemble, "seek", lambda self, step: seek(self, step + 1))
    else:
        h = np.lib.format.open_memmap(tmp_path / "h.npy", mode="r+")
        h[40, 69, 1] = np.nextafter(h[40, 69, 1], 9.0)
        h.flush()
        size = json.loads((tmp_path / "run.json").read_bytes())["kept"]["h.npy"][0]
        check = zlib.crc32((tmp_path / "h.npy").read_bytes()[:size])
        rewritten(lambda content: content["kept"].update({"h.npy": [size, check]}))(tmp_path)
    with pytest.raises(ValueError, match=r"^out must hold a run that this machine and version repeat"):
        recorded(tmp_path)


DAMAGE = {
    "run.json: it is not what was written": ("run.json", lambda data: data.replace(b'"rows": 234', b'"rows": 134')),
    "run.json: Expecting": ("run.json", lambda data: data[:50]),
    "h.npy: it has 262207 bytes of the 262208": ("h.npy", lambda data: data[:-1]),
    "h.npy: its content": ("h.npy", lambda data: data.replace(b"<f8", b"<i8")),
    "network file": ("net.npz", lambda data: data[:50]),
}
OTHERS = {
    "run.json: it has format 3, this version reads up to 2; open it": lambda content: content.update(format=3),
    "run.json: it lacks 'rows'": lambda content: content.pop("rows"),
    "run.json: it has 235 of 234 rows": lambda content: content.update(rows=235),
    "run.json: it has 134 rows of 262208 bytes": lambda content: content.update(rows=134),
    "net.npz: it is not the network": lambda content: content["settings"].update(W="0"),
}


@pytest.mark.parametrize("message", DAMAGE | OTHERS)
def test_damage_is_reported(tmp_path, message):
    recorded(tmp_path)
    if message in OTHERS:
        rewritten(OTHERS[message])(tmp_path)
    else:
        name, change = DAMAGE[message]
        data = (tmp_path / name).read_bytes()
        assert change(data) != data
        (tmp_path / name).write_bytes(change(data))
    with pytest.raises(ValueError, match=message):
        Path.load(tmp_path)


@pytest.mark.parametrize("finished", [False, True])
def test_a_folder_of_the_first_version_goes_on(tmp_path, whole, small_chunks, finished):
    if finished:
        recorded(tmp_path)
    else:
        cut(tmp_path)
    content = json.loads((tmp_path / "run.json").read_bytes())
    kept = {name: content[name] for name in ("rows", "shape", "settings")}
    (tmp_path / "run.json").write_text(json.dumps({"format": 1} | kept))
    assert np.array_equal(Path.load(tmp_path).h, whole.h[: content["rows"]])
    assert equal(recorded(tmp_path), whole)
    assert equal(Path.load(tmp_path), whole)


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_long_row_is_kept_before_it_ends(tmp_path, monkeypatch, stop):
    """A run of two rows, each of which is recorded in five parts."""
    options = {"steps": 500, "record_every": 250, "u": None}
    whole = simulate(NET, NOISE, **OPTIONS | options)
    monkeypatch.setattr(trajectory, "WORK", 50 * TRAJECTORIES * 2 * 18)
    monkeypatch.setattr(trajectory, "SECONDS", 0.0)
    record, taken = Ensemble.record, []

    def counted(ensemble, times, every, *arguments):
        if len(taken) == stop:
            raise KeyboardInterrupt
        taken.append(times * every)
        return record(ensemble, times, every, *arguments)

    monkeypatch.setattr(Ensemble, "record", counted)
    with contextlib.suppress(KeyboardInterrupt):
        recorded(tmp_path, **options)
    assert taken == [50] * min(stop, 10)
    left = 500 - 50 * min(stop, 10)
    taken.clear()
    stop = 100
    assert equal(recorded(tmp_path, **options), whole)
    assert sum(taken) == left + 50 * (left > 0)  # the last part again, to see that it comes out the same
    assert not (tmp_path / "within.npz").exists()
    assert equal(Path.load(tmp_path), whole)


def test_an_empty_folder_holds_no_path(tmp_path):
    with pytest.raises(ValueError, match=r"^folder must hold a run"):
        Path.load(tmp_path)


def test_a_full_disk_is_an_error_before_the_run(tmp_path, whole, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(Unwritten, match=r"h\.npy cannot be written: No space left on device; what is kept is whole"):
        recorded(tmp_path)
    monkeypatch.undo()
    assert equal(recorded(tmp_path), whole)


def test_a_run_shorter_than_its_stride_keeps_its_start(tmp_path):
    assert np.array_equal(recorded(tmp_path, steps=2, u=None).h, START[None])


if __name__ == "__main__":
    child(sys.argv[1])


KINDS = {
    "coloured": (NET, Noise(0.4, 0.2, rho_inside=0.9, rho_outside=[0.0, 0.5])),
    "gains": (NET, Noise(0.4, gain_inside=0.3, gain_outside=[[0.1], [0.2]], common_gain_outside=0.2, keep=0.8)),
    "voltage": (
        CTRNN(NET.W, NET.b, ["tanh", "relu"], [0.2, 0.3], NET.W_in, form="voltage"),
        Noise(0.4, rho_inside=0.5),
    ),
}


@pytest.mark.parametrize("least", [1, 7, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_every_kind_go_on(tmp_path, kind, least, monkeypatch):
    """They are cut after each chunk, of a part of a row, of some rows, or of none at all."""
    net, noise = KINDS[kind]
    options = OPTIONS | {"record_every": 13}
    whole = simulate(net, noise, U, **options)
    monkeypatch.setattr(trajectory, "WORK", least * TRAJECTORIES * 2 * 18)
    monkeypatch.setattr(trajectory, "SECONDS", 1e-9)
    chunks, left = trajectory._chunks, [0]

    def some(*arguments):
        for chunk in chunks(*arguments):
            yield chunk
            left[0] += 1
            if left[0] % 5 == 0:
                raise ZeroDivisionError

    monkeypatch.setattr(trajectory, "_chunks", some)
    for _ in range(10_000):
        with contextlib.suppress(ZeroDivisionError):
            path = simulate(net, noise, U, out=tmp_path / "run", resume=True, **options)
            break
    assert left[0] >= 4
    assert equal(path, whole)
    assert equal(Path.load(tmp_path / "run"), whole)
    kept = json.loads((tmp_path / "run" / "noise.json").read_text())
    del kept["check"]
    assert Noise(**kept).to_dict() == noise.to_dict()


def test_coloured_runs_without_their_last_states_go_on(tmp_path, monkeypatch):
    """They are simulated again from the start, where the sources are known."""
    net, noise = KINDS["coloured"]
    whole = simulate(net, noise, U, **OPTIONS)
    monkeypatch.setattr(trajectory, "CHUNK_BYTES", 40 * TRAJECTORIES * 2 * 8)
    with pytest.raises(ZeroDivisionError):
        simulate(net, noise, U, out=tmp_path / "run", progress=lambda *_: 1 / 0, **OPTIONS)
    (tmp_path / "run" / "within.npz").unlink()
    assert equal(simulate(net, noise, U, out=tmp_path / "run", resume=True, **OPTIONS), whole)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("rho", Noise(0.4, 0.2, rho_inside=0.8, rho_outside=[0.0, 0.5])),
        ("rho", Noise(0.4, 0.2)),
        ("gains", Noise(0.4, 0.2, rho_inside=0.9, rho_outside=[0.0, 0.5], keep=0.9)),
        ("noise", Noise(0.5, 0.2, rho_inside=0.9, rho_outside=[0.0, 0.5])),
    ],
)
def test_noise_of_another_kind_is_refused(tmp_path, name, other):
    net, noise = KINDS["coloured"]
    simulate(net, noise, U, out=tmp_path / "run", **OPTIONS)
    with pytest.raises(ValueError, match=name):
        simulate(net, other, U, out=tmp_path / "run", resume=True, **OPTIONS)


def test_settings_of_white_additive_noise_are_those_of_older_versions(tmp_path):
    """Folders that they wrote are gone on with."""
    recorded(tmp_path / "run", resume=False)
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    names = ["steps", "record_every", "trajectories", "gamma", "activation", "W", "readout", "noise", "start", "rng"]
    assert sorted(found["settings"]) == sorted([*names, "b or u"])
    assert found["settings"]["noise"] == OLD_NOISE


OLD_NOISE = "9acaee27e0b1539847576d8cad324e8aa41a34479098be16f171feba476d8180"
