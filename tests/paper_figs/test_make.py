"""Figures from the command line, and what is kept of them."""

from __future__ import annotations

import json
import os
import types

import numpy as np
import pytest
from click.testing import CliRunner

import ctrnn_theory as ct
from ctrnn_theory.cli.main import cli
from paper_figs import FIGURES, cache, networks
from paper_figs.make import figure_module, make

SOURCE = '''
"""A figure."""

def compute(quick=False):
    """Count."""
    CALLS.append(quick)
    return {"x": [1.0, 2.0], "label": "text"}

def draw(data):
    return 1

def helper(ax, data):
    return 1
'''


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "cache"))


@pytest.fixture
def figure(tmp_path):
    """Return a function that makes a module of a figure from its source, beside a copy of what figures share."""
    calls = []

    def make(source):
        path = tmp_path / "figure.py"
        path.write_text(source)
        for shared in cache.SHARED:
            (tmp_path / shared).write_text("SHARED = 1")
        module = types.ModuleType("paper_figs.figure")
        module.__file__ = str(path)
        module.__dict__["CALLS"] = calls
        exec(source, module.__dict__)
        return module

    make.calls = calls
    return make


def test_what_was_computed_is_kept(figure):
    first = cache.computed(figure(SOURCE), quick=True)
    again = cache.computed(figure(SOURCE), quick=True)
    assert figure.calls == [True]
    assert first.keys() == again.keys()
    np.testing.assert_array_equal(again["x"], [1.0, 2.0])
    cache.computed(figure(SOURCE), quick=False)
    cache.computed(figure(SOURCE), quick=True, fresh=True)
    assert figure.calls == [True, False, True]


@pytest.mark.parametrize(
    ("old", "new", "computes"),
    [
        ("return 1", "return 2", False),
        ("Count.", "Counted.", False),
        ("[1.0, 2.0]", "[1.0, 3.0]", True),
        ("    CALLS", "    # why\n    CALLS", False),
    ],
)
def test_it_is_computed_again_if_the_code_that_computes_has_changed(figure, old, new, computes):
    cache.computed(figure(SOURCE), quick=True)
    cache.computed(figure(SOURCE.replace(old, new)), quick=True)
    assert len(figure.calls) == 1 + computes


@pytest.mark.parametrize("length", [0, 50])
def test_damaged_data_are_computed_again(figure, length):
    cache.computed(figure(SOURCE), quick=True)
    (kept,) = cache.folder("figures").iterdir()
    kept.write_bytes(kept.read_bytes()[:length])
    np.testing.assert_array_equal(cache.computed(figure(SOURCE), quick=True)["x"], [1.0, 2.0])
    assert len(figure.calls) == 2


def test_any_bit_of_what_was_computed_counts(figure):
    """Each is seen, or changes nothing."""
    first = cache.computed(figure(SOURCE), quick=True)
    (path,) = cache.folder("figures").iterdir()
    good = path.read_bytes()
    for place in range(0, len(good), 29):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        again = cache.computed(figure(SOURCE), quick=True)
        assert again.keys() == first.keys()
        assert all(np.array_equal(again[name], first[name]) for name in first)
    path.unlink()
    os.mkfifo(path)
    assert np.array_equal(cache.computed(figure(SOURCE), quick=True)["x"], first["x"])


def test_the_small_set_of_networks_is_whole_small_and_of_its_tasks():
    runs = {
        *networks.regulators(True),
        *networks.functions(True),
        *networks.over_noise(True),
    }
    files = {path.name: path.stat().st_size for path in networks.KEPT.iterdir()}
    assert set(files) == {f"{run.name}.npz" for run in runs}
    assert sum(files.values()) < 200_000
    for run, net in networks.trained(runs, quick=True).items():
        assert (net.n, net.gamma, net.activation.name) == (run.neurons, run.gamma, run.activation)
        found = ct.training.tasks.TASKS[run.task]().trials(net, run.noise, 8, np.array([1, 2], np.uint64))
        assert found.cost.mean() < 0.5  # of a target with mean square a half; a maze not walked at all costs 1


def test_networks_are_trained_once_and_kept():
    run = networks.Run("regulator", "inside", 0.3, neurons=1, evaluations=16)
    said = []
    token = networks.PROGRESS.set(lambda *report: said.append(report))
    first = networks.trained([run], quick=False)[run]
    networks.PROGRESS.reset(token)
    assert said == [(1, 1, "networks trained")]
    (kept,) = cache.folder("networks").iterdir()
    before = (kept / "network.npz").stat().st_mtime_ns
    assert networks.trained([run], quick=False)[run].W == first.W
    assert (kept / "network.npz").stat().st_mtime_ns == before


def test_the_command_makes_figures(tmp_path):
    done = CliRunner().invoke(cli, ["figures", "operating", "--quick", "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)["operating"]
    assert found["files"] == [str(tmp_path / "out" / f"operating.{ending}") for ending in ("pdf", "png")]
    assert found["headline"]["inside, within"] > 0.1
    again = CliRunner().invoke(cli, ["figures", "operating", "--quick", "--out", str(tmp_path / "out")])
    assert again.output.startswith("operating")


def test_bad_names_and_places_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"NAME must be one of smoothing, .*; got 'nope'"):
        make(["nope"], out=tmp_path)
    with pytest.raises(ValueError, match=r"--out must be a folder that can be made; got .*file: File exists"):
        make(["smoothing"], out=tmp_path / "file")


def test_every_figure_says_what_it_shows():
    for name, figure in FIGURES.items():
        assert figure_module(name).__doc__
        assert figure.summary


def test_a_cache_that_cannot_be_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "file"))
    with pytest.raises(ValueError, match="CTRNN_THEORY_CACHE must be a folder that can be made; got"):
        cache.folder("figures")


def test_quick_data_follow_the_networks_of_the_repository(figure, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "KEPT", tmp_path / "trained")
    (tmp_path / "trained").mkdir()
    for content in (b"one", b"other", b"other"):
        (tmp_path / "trained" / "net.npz").write_bytes(content)
        cache.computed(figure(SOURCE), quick=True)
    assert len(figure.calls) == 2


def test_without_a_folder_that_can_be_written_a_figure_is_made_all_the_same(figure, tmp_path, monkeypatch, caplog):
    monkeypatch.delenv(cache.PLACE)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache, "user_cache_path", lambda name: tmp_path / "file" / name)
    cache._temporary.cache_clear()
    for _ in range(2):
        cache.computed(figure(SOURCE), quick=True)
    assert figure.calls == [True]  # kept while the process runs
    (record,) = caplog.records
    assert record.message.startswith("The data of figures are not kept after this run: CTRNN_THEORY_CACHE must be")
    assert cache.folder("figures").parent.name.startswith("ctrnn_theory-")
