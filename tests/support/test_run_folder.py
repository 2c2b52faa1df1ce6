"""Folders of all kinds of runs: what is damaged is noticed and left as it is; numbers are right, or there are none."""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path as Place

import numpy as np
import pytest

from ctrnn_theory.cli import main
from ctrnn_theory.integrators import Path, simulate, trajectory
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support import files, run_folder
from ctrnn_theory.support.claim import claimed
from ctrnn_theory.support.files import Unwritten
from ctrnn_theory.sweeping import store
from ctrnn_theory.sweeping.dataset import load
from ctrnn_theory.sweeping.sweep import sweep
from ctrnn_theory.training import trainer
from ctrnn_theory.training.tasks import Feedforward
from ctrnn_theory.training.trainer import Training, train

NET = CTRNN([[0.2, -0.5], [0.5, 0.1]], [0.1, 0.2], "tanh", 0.2, W_out=[[1.0, 2.0]])
SPEC = {
    "methods": ["exact"],
    "quantities": ["mean", "bias"],
    "fixed": {"w": 0.5},
    "axes": {"b": [0.1, 0.2], "sigma": [0.1, 0.5, 1.0]},
}
SMALL = {"neurons": 2, "noise": Noise(inside=0.4), "evaluations": 80, "rng": 5, "workers": 1}


class Cut(Exception):
    """What ends a run early."""


def simulated(out, callback=None):
    return simulate(NET, Noise(0.4), steps=60, trajectories=3, out=out, resume=True, workers=1, progress=callback)


def trained(out, callback=None):
    return train(Feedforward(repeats=2), **SMALL, out=out, resume=True, callback=callback)


def swept(out, callback=None):
    return sweep(SPEC, 1, out, progress=callback)


def same_path(found, whole):
    return found.h.size and np.array_equal(found.h, whole.h[: len(found.h)]) and np.array_equal(found.network.W, NET.W)


def same_training(found, whole, ended=True):
    losses = np.array_equal(found.losses, whole.losses[: len(found.losses)])
    return losses and (np.isnan(found.loss) or (found.loss == whole.loss and same_weights(found, whole)))


def same_weights(found, whole):
    return all(np.array_equal(getattr(found.network, name), getattr(whole.network, name)) for name in ("W", "W_out"))


def same_dataset(found, whole):
    return found.identical(whole)


def preferred(run):
    """Output of the command, as if a message of it were an error."""
    return command("preference", str(run), "--levels", "1", "--repeats", "3", "--workers", "1")


def drawn(run):
    return command("plot", str(run), "--x", "sigma", "--quantity", "mean", "--at", "b=0.1", "--out", f"{run}.svg")


def command(*arguments):
    code, message = main._run(list(arguments))
    assert code in (0, 2), message
    if code:
        raise ValueError(message)


@dataclasses.dataclass
class Kind:
    """A kind of run."""

    run: Callable
    """Runs in a folder, to the end or to a callback that raises."""
    readers: tuple[Callable, ...]
    """What reads a folder and returns what the run returns, or None."""
    same: Callable
    """Whether that is right, or the beginning of it."""
    record: str
    """Name of the record."""


KINDS = {
    "simulate": Kind(simulated, (Path.load,), same_path, "run.json"),
    "train": Kind(trained, (Training.load, preferred), same_training, "run.json"),
    "sweep": Kind(swept, (load, drawn), same_dataset, "sweep.json"),
}


def end_at(count):
    calls = []

    def callback(*_):
        calls.append(0)
        if len(calls) == count:
            raise Cut

    return callback


@pytest.fixture
def often(monkeypatch):
    """Keep everything at once, in small chunks."""
    monkeypatch.setattr(trajectory, "CHUNK_BYTES", 20 * 3 * 2 * 8)
    monkeypatch.setattr(trainer, "EVERY", -1.0)
    monkeypatch.setattr(trainer, "SHARE", 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders by kind and by whether they are finished, and what the runs return."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectory, "CHUNK_BYTES", 20 * 3 * 2 * 8)
        patch.setattr(trainer, "EVERY", -1.0)
        patch.setattr(trainer, "SHARE", 0)
        place, found = tmp_path_factory.mktemp("runs"), {}
        for name, kind in KINDS.items():
            whole = kind.run(place / f"{name}-finished")
            with pytest.raises(Cut):
                kind.run(place / f"{name}-cut", end_at({"simulate": 2, "train": 5, "sweep": 3}[name]))
            found[name] = whole
        return place, found


OLD = Place(__file__).with_name("old_folders")


def values(result):
    """Return the numbers of a result: states, losses and weights, or variables."""
    if isinstance(result, Path):
        return [result.h]
    if isinstance(result, Training):
        return [result.losses, result.network.W, result.network.W_out]
    return [result[name].values for name in ("mean", "bias")]


class OtherBits(Exception):
    """The machine that wrote a folder rounded the last bits in another way."""


def resumed(kind, run):
    try:
        return kind.run(run)
    except ValueError as error:
        raise OtherBits if "repeat bit for bit" in str(error) else error from error


@pytest.mark.parametrize("kind", KINDS)
def test_folders_of_the_version_before_go_on(made, tmp_path, often, kind, monkeypatch):
    """They were written by version 0.4.1 of the package, in format 2, and cut off.

    Another processor rounds in another way: its last bits differ by 1e-16, which a few steps or generations amplify.
    """
    shutil.copytree(OLD / f"{kind}-cut", tmp_path / "run")
    record = json.loads((tmp_path / "run" / KINDS[kind].record).read_text())
    assert record["format"] == 2
    monkeypatch.setattr(store, "__version__", record.get("version", ""))  # sweeps go on by the same version alone
    with contextlib.suppress(OtherBits):
        for found, whole in zip(values(resumed(KINDS[kind], tmp_path / "run")), values(made[1][kind]), strict=True):
            np.testing.assert_allclose(found, whole, rtol=1e-9, atol=1e-12)


def damages(good, name):
    """Kinds of damage, as functions that change the file at a path."""
    rng = np.random.default_rng(0)

    def write(content):
        return lambda path: path.write_bytes(content)

    for place in sorted({*rng.integers(0, len(good), 6).tolist(), 0, len(good) - 1}):
        bit = 1 << int(rng.integers(8))
        yield f"bit of byte {place}", write(good[:place] + bytes([good[place] ^ bit]) + good[place + 1 :])
    for length in (0, len(good) // 2, len(good) - 1):
        yield f"cut to {length}", write(good[:length])
    yield "longer", write(good + good[-100:])
    yield "rubbish", write(rng.bytes(300))
    yield "removed", Place.unlink
    yield "folder", lambda path: (path.unlink(), path.mkdir())
    yield "pipe", lambda path: (path.unlink(), os.mkfifo(path))
    yield "link to a pipe", lambda path: (path.unlink(), os.mkfifo(path.with_name("p")), path.symlink_to("p"))
    yield "nowhere", lambda path: (path.unlink(), path.symlink_to(path.with_name("nowhere")))
    lines = good.splitlines(keepends=True)
    yield "line twice", write(b"".join([*lines[:1], *lines]))
    if len(lines) > 1:
        yield "line less", write(b"".join(lines[:1] + lines[2:]))
    if name.endswith(".json"):
        for text in ("[]", "null", "5", '"x"', "{}", "[" * 100_000, '{"format": 2}', '{"format": 1}', "NaN"):
            yield text[:20], write(text.encode())


def content_of(path):
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else path.exists()


NAMES = {
    "simulate": ("run.json", "h.npy", "net.npz"),
    "train": ("run.json", "generations.jsonl", "network.npz", "search.npz", "result.json"),
    "sweep": ("sweep.json", "points.bin", "sweep.nc"),
}
CASES = [(kind, name, state) for kind in NAMES for name in NAMES[kind] for state in ("finished", "cut")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "name", "state"), CASES)
def test_damage_is_noticed_and_nothing_is_lost(made, tmp_path, often, kind, name, state):
    place, whole = made[0] / f"{kind}-{state}", made[1][kind]
    if not (place / name).exists():
        pytest.skip("a run that was cut off has none")
    run, own, refused = tmp_path / "run", KINDS[kind], 0
    for about, act in damages((place / name).read_bytes(), name):
        for read in (*own.readers, own.run):
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(place, run)
            act(run / name)
            before = content_of(run / name)
            try:
                found = read(run)
            except ValueError as error:
                refused += 1
                text = str(error)
                assert name in text or "holds" in text or state == "cut", (about, read, text)
                assert "\n" not in text, about
                assert content_of(run / name) == before, (about, read)
            else:
                assert found is None or own.same(found, whole), (about, read)
    assert refused or name == "search.npz"  # which a finished run does not need


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_folder_goes_away_ends_soon(made, tmp_path, often, kind):
    def removed(run):
        shutil.rmtree(run)

    def moved(run):
        run.rename(run.with_name("elsewhere"))

    def replaced(run):
        moved(run)
        shutil.copytree(run.with_name("elsewhere"), run)

    def emptied(run):
        for path in run.iterdir():
            if path.name[0] != ".":
                path.unlink()

    for number, act in enumerate((removed, moved, replaced, emptied)):
        run, calls = tmp_path / f"{number}" / "run", []
        run.parent.mkdir()

        def callback(*_, run=run, act=act, calls=calls):
            calls.append(0)
            if len(calls) == 2:
                act(run)

        with pytest.raises(
            Unwritten, match=r"run.* cannot be written: it was removed, moved or replaced while"
        ) as info:
            KINDS[kind].run(run, callback)
        assert "\n" not in str(info.value)
        assert len(calls) == 2


ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
CALLS = {"fsync": os, "replace": os, "ftruncate": os, "open": os, "mkdir": os, "mkstemp": files.tempfile}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_what_cannot_be_written_is_one_sentence(made, tmp_path, often, monkeypatch, kind, call):
    """Whatever call fails, for whatever reason: the run ends in a sentence, and goes on when there is room again."""
    original, own, here = getattr(CALLS[call], call), KINDS[kind], str(tmp_path)
    calls = fails = 0

    def failing(*arguments, **options):
        nonlocal calls
        places = [*arguments, *options.values(), *map(descriptor, arguments)]
        if any(str(place).startswith(here) for place in places) and not reads(call, arguments[1:]):
            calls += 1
            if calls == fails:
                raise OSError(ERRORS[fails % len(ERRORS)], os.strerror(ERRORS[fails % len(ERRORS)]))
        return original(*arguments, **options)

    monkeypatch.setattr(CALLS[call], call, failing)
    for number in range(1, 40):
        calls, fails = 0, number
        run = tmp_path / f"{number}"
        try:
            own.run(run)
            break
        except (Unwritten, ValueError) as error:
            text = str(error)
            assert here in text
            assert "\n" not in text
            assert "Errno" not in text
            if isinstance(error, Unwritten) and run.exists() and any(path.name[0] != "." for path in run.iterdir()):
                assert "what is kept is whole" in text
        fails = 0
        assert own.same(own.run(run), made[1][kind])
    assert number > 1 or call == "ftruncate"


def message(call):
    """What a call says that it cannot write, if it cannot."""
    try:
        call()
    except Unwritten as error:
        return str(error)
    return ""


def descriptor(handle):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/self/fd/{handle}") if isinstance(handle, int) else ""
    return ""


def reads(call, arguments):
    return call == "open" and not arguments[0] & (os.O_RDWR | os.O_WRONLY)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_and_one_that_cannot_be_written(made, tmp_path, often, kind):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=400k tmpfs {disk} 2>/dev/null"):
        pytest.skip("no disk can be mounted here")
    try:
        own = KINDS[kind]
        for room in (0, 4096, 16384, 40960):
            run, filler = disk / f"run-{room}", disk / "filler"
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            os.truncate(filler, os.path.getsize(filler) - room)
            texts = [message(lambda run=run: own.run(run)) for _ in range(2)]
            assert texts[0] or room
            for text in filter(None, texts):
                assert text.startswith(str(disk))
                assert " cannot be written: No space left on device" in text
            filler.unlink()
            assert own.same(own.run(run), made[1][kind])
            shutil.rmtree(run)
        os.system(f"umount -l {disk}")
        assert not os.system(f"mount -t tmpfs -o ro tmpfs {disk}")
        with pytest.raises(ValueError, match=r"^out must be a folder that can be written; got .*: Read-only file"):
            own.run(disk / "run")
    finally:
        os.system(f"umount -l {disk}")  # lazily, since paths are mapped


def test_a_disk_that_fills_up_while_a_log_grows(tmp_path):
    kind = run_folder.Kind("a test", "record.json", (), "go on")
    with claimed(tmp_path / "run", kind, resume=True) as folder:
        folder.keep({})
        with folder.log("log", 0, 0) as log:
            log.add(b"abc")
            folder.keep({}, log)

            class Full:
                def seek(self, place):
                    pass

                def write(self, content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            kept, log.file = log.file, Full()
            with pytest.raises(Unwritten, match=r"run/log cannot be written: No space left on device; go on$"):
                log.add(b"def")
            log.file = kept
            log.add(b"de")
            folder.keep({}, log)
    assert (tmp_path / "run" / "log").read_bytes() == b"abcde"
    found = run_folder.Folder(tmp_path / "run", kind)
    found.verify("log", found.kept("log"))


def test_only_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        for name, what in (("pipe", "a pipe"), ("link", "a pipe"), ("socket", "a socket"), ("", "a folder")):
            with pytest.raises(ValueError, match=f"^it is {what} and not a file$"):
                files.read_file(tmp_path / name)
    with pytest.raises(ValueError, match=r"^it is a device and not a file$"):
        files.read_file("/dev/zero")
    with open(tmp_path / "large", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"^it has 1099511627776 bytes, and at most 67108864 are read$"):
        files.read_file(tmp_path / "large")


def test_what_differs_is_named(tmp_path):
    folder = run_folder.Folder(tmp_path, run_folder.Kind("a test", "record.json", (), "go on"))
    here = {"a": {"b": 1, "c": 2}, "d": "x", "e": "12ab", "f": [1, 2]}
    folder.check_same(here, here)
    with pytest.raises(
        ValueError, match=r"differs in a\.b \(1\.0 there, 1 here\), e, f \(None there, \[1, 2\] here\)$"
    ):
        folder.check_same({"a": {"b": 1.0, "c": 2}, "d": "x", "e": "34cd"}, here, hidden=("e",))


def test_files_of_the_folder(tmp_path):
    kind = run_folder.Kind("a test", "record.json", (), "go on")
    with claimed(tmp_path / "run", kind, resume=False) as folder:
        folder.keep({"x": 1})
        folder.write_arrays("a.npz", {"y": np.arange(3)})
        folder.write_json("b.json", {"z": 2})
        folder.remove("none")
    found = run_folder.Folder(tmp_path / "run", kind)
    assert (found.record["x"], found.kept("log"), found.json("none"), found.arrays("none", 99)) == (1, None, None, None)
    assert found.arrays("a.npz", 999)["y"].tolist() == [0, 1, 2]
    assert found.json("b.json")["z"] == 2
    with pytest.raises(
        run_folder.Damaged, match=r"a test: a\.npz: its arrays have .* more than max_bytes.*; remove it$"
    ):
        found.arrays("a.npz", 9, "remove it")
    with (
        pytest.raises(run_folder.Damaged, match=r"a test: c: it lacks 'y'; restore it from a copy"),
        found.reading("c"),
    ):
        {}["y"]
