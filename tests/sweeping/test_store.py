"""Folders of sweeps: killed, damaged, foreign, in use."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.sweeping import store
from ctrnn_theory.sweeping.batch import Task, evaluate
from ctrnn_theory.sweeping.dataset import load
from ctrnn_theory.sweeping.spec import Spec
from ctrnn_theory.sweeping.sweep import sweep

SPEC = {
    "methods": ["gaussian_closure", "exact"],
    "quantities": ["mean", "variance"],
    "fixed": {"b": 0.1},
    "axes": {"w": [0.5, 2.0], "sigma": {"linspace": [0.1, 1.0, 5]}},
}


@pytest.fixture(scope="module")
def whole():
    return sweep(SPEC, workers=1)


def content(place):
    return (place / store.POINTS).read_bytes()


def filled(place, parts=4):
    """Folder with some batches, without one that finishes the sweep."""
    spec = Spec.of(SPEC)
    with store.opened(place, spec) as folder:
        for points in np.array_split(np.arange(spec.size), parts):
            folder.add(evaluate(spec, Task(1, points)))
    return spec


def without_checksums(place):
    """Make the folder one of the first version."""
    record = json.loads((place / "sweep.json").read_bytes())
    kept = {name: record[name] for name in ("version", "spec")}
    (place / "sweep.json").write_text(json.dumps({"format": 1} | kept))


def test_batches_come_back(tmp_path):
    spec = filled(tmp_path / "run")
    with store.opened(tmp_path / "run", spec) as folder:
        assert len(folder.batches) == 4
        again = evaluate(spec, Task(1, np.arange(spec.size)))
        rows = np.concatenate([batch.rows for batch in folder.batches])
        assert np.array_equal(rows["mean"], again.rows["mean"], equal_nan=True)
        reasons = [batch.reasons[k - 1] for batch in folder.batches for k in batch.rows["failure"] if k]
        assert reasons == [again.reasons[k - 1] for k in again.rows["failure"] if k]
        assert [points.size for points in store.missing(spec, folder.batches)] == [spec.size, 0]


def test_any_cut_leaves_whole_batches(tmp_path):
    """A folder of the first version has nothing else that says what is whole."""
    spec = filled(tmp_path / "run", 3)
    without_checksums(tmp_path / "run")
    whole = content(tmp_path / "run")
    batches, length, _ = store.read(Folder(tmp_path / "run", store.KIND), spec)
    assert length == len(whole)
    ends = []
    for cut in range(len(whole) + 1):
        (tmp_path / "run" / store.POINTS).write_bytes(whole[:cut])
        found, end, _ = store.read(Folder(tmp_path / "run", store.KIND), spec)
        assert end <= cut
        ends.append((len(found), end))
    assert [i for i, _ in sorted(set(ends))] == [0, 1, 2, 3]
    (tmp_path / "run" / store.POINTS).write_bytes(whole[: ends[len(whole) - 1][1] + 7])
    with store.opened(tmp_path / "run", spec) as folder:
        assert len(folder.batches) == 2
        folder.add(batches[2])
    assert content(tmp_path / "run") == whole


def test_what_was_not_counted_is_dropped(tmp_path, whole):
    spec = filled(tmp_path / "run", 3)
    good = content(tmp_path / "run")
    for rubbish in (good[:50], good, b"\0" * 1000):
        (tmp_path / "run" / store.POINTS).write_bytes(good + rubbish)
        with store.opened(tmp_path / "run", spec) as folder:
            assert len(folder.batches) == 3
        assert content(tmp_path / "run") == good
    assert sweep(SPEC, 1, tmp_path / "run").identical(whole)


@pytest.mark.parametrize("name", [store.POINTS, "sweep.nc", "sweep.json"])
def test_any_bit_counts(tmp_path, whole, name):
    assert sweep(SPEC, 1, tmp_path / "run").identical(whole)
    path = tmp_path / "run" / name
    good = path.read_bytes()
    for place in range(0, len(good), max(1, len(good) // 20)):
        bad = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        path.write_bytes(bad)
        for read in (load, lambda run: sweep(SPEC, 1, run)):
            if (read is load) == (name == store.POINTS) or (name == "sweep.json" and json_of(bad) == json_of(good)):
                continue  # it is not read, or the bit is white space
            if name == "sweep.nc" and read is not load:
                continue  # it is made again
            with pytest.raises(ValueError, match=rf"must be the folder of a sweep: .*{name}"):
                read(tmp_path / "run")
            assert path.read_bytes() == bad


def json_of(content):
    try:
        return json.loads(content)
    except ValueError:
        return None


def test_a_folder_of_the_first_version_goes_on(tmp_path, whole):
    filled(tmp_path / "run")
    without_checksums(tmp_path / "run")
    assert sweep(SPEC, 1, tmp_path / "run").identical(whole)
    assert load(tmp_path / "run").identical(whole)
    without_checksums(tmp_path / "run")
    assert load(tmp_path / "run").identical(whole)


def test_a_dataset_larger_than_the_memory_is_not_called_damaged(tmp_path, monkeypatch):
    sweep(SPEC, 1, tmp_path / "run")
    monkeypatch.setattr("ctrnn_theory.sweeping.dataset.free_memory", lambda: 10.0)
    with pytest.raises(ValueError, match=r"run must have a dataset that fits into memory; .*sweep.nc has \d+ bytes"):
        load(tmp_path / "run")


def test_a_damaged_count_does_not_hide_what_follows(tmp_path):
    spec = filled(tmp_path / "run")
    without_checksums(tmp_path / "run")
    bad = content(tmp_path / "run").replace(b'{"rows": 3,', b'{"rows": 8,', 1)
    (tmp_path / "run" / store.POINTS).write_bytes(bad)
    with (
        pytest.raises(ValueError, match=r"batch 1 of points.bin: it is not what was written"),
        store.opened(tmp_path / "run", spec),
    ):
        pass
    assert content(tmp_path / "run") == bad


def test_damage_is_reported(tmp_path, whole):
    spec = filled(tmp_path / "run")
    without_checksums(tmp_path / "run")
    good = content(tmp_path / "run")
    for place in (len(good) // 3, 3):
        bad = bytearray(good)
        bad[place] ^= 1
        (tmp_path / "run" / store.POINTS).write_bytes(bad)
        with pytest.raises(ValueError, match=r"batch \d of points.bin: it is not what was written"):
            sweep(SPEC, 1, tmp_path / "run")
    (tmp_path / "run" / store.POINTS).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))  # written, but not to the disk
    assert len(store.read(Folder(tmp_path / "run", store.KIND), spec)[0]) == 3
    assert sweep(SPEC, 1, tmp_path / "run").identical(whole)
    (tmp_path / "run" / "sweep.json").write_text("[]")
    with pytest.raises(ValueError, match=r"must be the folder of a sweep: sweep\.json"):
        sweep(SPEC, 1, tmp_path / "run")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (SPEC | {"seed": 1}, r"differs in seed \(0 there, 1 here\)"),
        (SPEC | {"methods": ["exact"]}, "differs in methods"),
        (SPEC | {"fixed": {"b": 0.2}}, r"differs in fixed.b \(0.1 there, 0.2 here\)"),
        (SPEC | {"axes": SPEC["axes"] | {"w": [0.5]}}, r"differs in axes.w \(\[0.5, 2.0\] there, \[0.5\] here\)"),
        (SPEC | {"axes": dict(reversed(SPEC["axes"].items()))}, "differs in axes"),
        (SPEC | {"options": {"exact": {"tolerance": 1e-6}}}, "differs in options.exact"),
    ],
)
def test_another_sweep_is_refused(tmp_path, other, message):
    filled(tmp_path / "run")
    before = content(tmp_path / "run")
    with pytest.raises(ValueError, match=message):
        sweep(other, 1, tmp_path / "run")
    assert content(tmp_path / "run") == before


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"out must be empty or hold a run; .* holds thesis.tex"):
        sweep(SPEC, 1, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_second_process_is_refused(tmp_path):
    with store.opened(tmp_path / "run", Spec.of(SPEC)):
        code = f"from ctrnn_theory.sweeping.sweep import sweep; sweep({SPEC!r}, 1, {str(tmp_path / 'run')!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "out must not be written to by another process" in done.stderr


def killed(count):
    """Sweep of some seconds for each hundred of `count`."""
    return {
        "methods": ["mean_field", "exact"],
        "quantities": ["mean", "bias"],
        "fixed": {"b": 0.1, "gamma": 0.2},
        "axes": {"w": [-0.5, 0.5], "sigma": {"linspace": [0.05, 1.0, count]}, "site": ["inside", "outside"]},
    }


PROGRAM = """
    from ctrnn_theory.sweeping import engine
    from ctrnn_theory.sweeping.sweep import sweep

    engine.LENGTH, engine.SAMPLED = 0.03, 1
    sweep({spec!r}, {workers}, {out!r}, progress=lambda done, total, text: print(done, flush=True))
    print("finished", flush=True)
"""


@contextlib.contextmanager
def started(program):
    """A program in a process group of its own, of which nothing is left."""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def kill_often(spec, place, kills, workers, longest):
    """Kill a sweep at random moments; what was stored when it died must be what there is ever after."""
    program = textwrap.dedent(PROGRAM).format(spec=spec, workers=workers, out=str(place))
    spec, rng, before, deaths = Spec.of(spec), random.Random(0), b"", 0
    while True:
        with started(program) as process:
            first = process.stdout.readline()
            if deaths < kills:
                if not first.startswith(b"finished"):
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(rng.uniform(0.0, longest))
                process.kill()
            output = first + process.stdout.read() if deaths == kills else b""
            process.wait()
        batches, length, _ = store.read(Folder(place, store.KIND), spec)
        now = content(place)[:length] if length else b""
        assert now.startswith(before)
        rows = np.concatenate([np.zeros(0, store.row_type(spec)), *(batch.rows for batch in batches)])
        pairs = list(zip(rows["method"].tolist(), rows["point"].tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)  # none was computed twice
        if deaths == kills:
            assert output.rstrip().endswith(b"finished")
            assert len(pairs) == spec.size * len(spec.methods)
            return
        assert len(pairs) < spec.size * len(spec.methods)  # killed in the middle
        before, deaths = now, deaths + 1


def test_kills_lose_and_repeat_nothing(tmp_path):
    spec = killed(80)
    kill_often(spec, tmp_path / "run", 3, 1, 0.6)
    assert sweep(spec, 1, tmp_path / "run").identical(sweep(spec, 1))


@pytest.mark.slow
def test_fifty_kills_lose_and_repeat_nothing(tmp_path):
    kill_often(killed(5000), tmp_path / "run", 50, 2, 4.0)
