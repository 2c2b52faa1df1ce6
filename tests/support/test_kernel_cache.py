"""Compiled kernels between processes: kept where they can be, and compiled anew when what they call has changed."""

import importlib
import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from ctrnn_theory.integrators import kernels, normals, sums
from ctrnn_theory.numerics.vector_math import primitives
from ctrnn_theory.support import kernel_cache
from ctrnn_theory.training import kernels as training

REAL = kernel_cache.PACKAGE
MODULES = {
    "__init__.py": "",
    "helper.py": "from ctrnn_theory.support.jit import jit\n\n\n"
    "@jit\ndef helper(x):\n    return x + STEP\n\n\nSTEP = 1.0\n",
    "between.py": "from pack.helper import (\n    helper as used,\n)\n",
    "kernel.py": "from ctrnn_theory.support.jit import jit\nfrom pack.between import used\n\n\n"
    '@jit("float64(float64)", cache=True)\ndef kernel(x):\n    return 2.0 * used(x)\n',
}
SCRIPT = """
import sys
from pathlib import Path
from ctrnn_theory.support import kernel_cache
from ctrnn_theory.numerics.vector_math import primitives
from ctrnn_theory.integrators import kernels, normals, sums
from ctrnn_theory.training import kernels as training
kernel_cache.PACKAGE = Path(sys.argv[1])
from pack.kernel import kernel
print(kernel(1.0), sum(kernel.stats.cache_hits.values()))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A package of a few modules, of which two are compiled, and another lies between them."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "tmp").mkdir()
    for name, text in MODULES.items():
        (tmp_path / "pack" / name).write_text(text)
    monkeypatch.setattr(kernel_cache, "PACKAGE", tmp_path / "pack")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(kernel_cache, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(kernel_cache.config, "CACHE_DIR", "")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget()


def forget():
    """Do as a new process does."""
    for function in vars(kernel_cache).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "pack"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def run():
    """What the kernel gives, and how many kernels were taken from the disk."""
    forget()
    kernel = importlib.import_module("pack.kernel").kernel
    return kernel(1.0), sum(kernel.stats.cache_hits.values())


COMPILED, TAKEN = (4.0, 0), (4.0, 1)


def kept(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".nbi", ".nbc"))


def close(place):
    """Have no usual place that can be written, by any user: files are where folders should be."""
    (place / "pack" / "__pycache__").touch()
    (place / "cache").touch()


def process(place):
    """A process of its own that calls the kernel, with warnings as errors."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (place, REAL.parent)))}
    environment |= {"TMPDIR": str(place / "tmp"), "XDG_CACHE_HOME": str(place / "cache"), "NUMBA_CACHE_DIR": ""}
    command = [sys.executable, "-W", "error", "-B", "-c", SCRIPT, place / "pack"]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def result(started):
    out, lines = started.communicate(timeout=120)
    assert started.returncode == 0, lines
    value, hits = out.split()
    return float(value), int(hits), lines.splitlines()


def test_new_processes_notice_an_edited_helper_of_another_file(place):
    both = [process(place) for _ in range(2)]  # at once
    assert [result(started)[0] for started in both] == [4.0, 4.0]
    assert result(process(place)) == (4.0, 1, [])
    helper = place / "pack" / "helper.py"
    helper.write_text(MODULES["helper.py"].replace("STEP = 1.0", "STEP = 2.0"))
    assert result(process(place)) == (6.0, 0, [])


def test_what_is_stale_is_replaced(place):
    assert [run(), run()] == [COMPILED, TAKEN]
    before = kept(place)
    assert len(before) == 2
    for step, value in (("2.0", 6.0), ("3.0", 8.0)):
        (place / "pack" / "helper.py").write_text(MODULES["helper.py"].replace("STEP = 1.0", f"STEP = {step}"))
        assert [run(), run()] == [(value, 0), (value, 1)]
    (place / "pack" / "kernel.py").write_text("# moved\n\n" + MODULES["kernel.py"])
    assert [run(), run()] == [(8.0, 0), (8.0, 1)]
    assert kept(place) == before


def test_modules_of_a_kernel():
    """Those that it imports, directly or not, and no others."""
    found = kernel_cache.sources(REAL / "integrators" / "kernels.py")
    names = {str(path.relative_to(REAL)) for path in found}
    assert names >= {"support/jit.py", *(f"integrators/{name}.py" for name in ("kernels", "normals", "sums"))}
    assert "model/network.py" not in names


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [b"", b"no pickle", None])
def test_damage_costs_time_alone(place, suffix, damage):
    run()
    (path,) = (path for path in kept(place) if path.suffix == suffix)
    path.write_bytes(path.read_bytes()[:-10] if damage is None else damage)
    assert [run(), run()] == [COMPILED, TAKEN]


def test_a_full_disk_costs_time_alone(place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kernel_cache.FunctionCache, "save_overload", full)
    assert [run(), run()] == [COMPILED, COMPILED]


def test_the_folder_that_is_asked_for_comes_first(place, monkeypatch):
    monkeypatch.setattr(kernel_cache.config, "CACHE_DIR", str(place / "asked"))
    assert [run(), run()] == [COMPILED, TAKEN]
    assert kept(place) == kept(place / "asked")


def test_the_user_has_a_folder_where_the_package_has_none(place):
    (place / "pack" / "__pycache__").touch()
    assert [run(), run()] == [COMPILED, TAKEN]
    assert kept(place) == kept(place / "cache")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders for temporary files are the user's")
class TestNowhereToWrite:
    @pytest.fixture
    def private(self, place):
        close(place)
        return place / "tmp" / f"pack-{os.geteuid()}"

    def test_a_private_folder_for_temporary_files(self, private, caplog):
        assert [run(), run()] == [COMPILED, TAKEN]
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert len(caplog.messages) == 2  # one a process
        assert str(private) in caplog.messages[0]
        assert "NUMBA_CACHE_DIR" in caplog.messages[0]

    @pytest.mark.parametrize("trap", ["open to others", "a link", "a file", "parent open to others", "of another"])
    def test_no_folder_that_others_may_write(self, private, trap, caplog, monkeypatch):
        """What others have put there would be executed: it is not looked at."""
        run()  # a kernel is there
        caplog.clear()
        if trap == "open to others":
            private.chmod(0o777)
        elif trap == "parent open to others":
            private.parent.chmod(0o777)
        elif trap == "of another":
            owner = os.geteuid()
            private.rename(private.with_name(f"pack-{owner + 1}"))
            monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
        else:
            private.rename(private.with_name("elsewhere"))
            private.symlink_to(private.with_name("elsewhere")) if trap == "a link" else private.touch()
        assert run() == COMPILED
        (line,) = caplog.messages
        assert line.startswith("No folder for compiled kernels can be written")

    def test_one_line_on_standard_error(self, place, private):
        *found, (line,) = result(process(place))
        assert found == [4.0, 0]
        assert line.startswith("Compiled kernels are kept in")

    def test_without_a_home(self, place, private, monkeypatch):
        """A user whose home is not known has no cache below the current folder."""
        monkeypatch.setattr(kernel_cache, "user_cache_path", lambda name: Path("~/.cache") / name)
        assert all(path.is_absolute() for path in kernel_cache._places(str(place), "name"))


def test_within_a_zip_file(tmp_path):
    archive = tmp_path / "packages.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("ctrnn_theory/kernel.py", "")
    inside = archive / "ctrnn_theory" / "kernel.py"
    first = kernel_cache.stamp.__wrapped__(str(inside))
    assert all(tmp_path not in path.parents for path in kernel_cache._places(str(inside.parent), "name"))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("more.py", "")
    assert kernel_cache.stamp.__wrapped__(str(inside)) != first


def test_what_kernels_call_is_inlined():
    """Otherwise a kernel from the disk has other last bits than one that has just been compiled."""
    called = [
        function
        for module in (primitives, kernels, normals, sums, training)
        for function in vars(module).values()
        if hasattr(function, "targetoptions") and not own(function)
    ]
    assert len(called) > 20
    assert all(function.targetoptions.get("forceinline") for function in called)


def own(function):
    """Whether Python calls it, and no kernel that adds floating-point numbers."""
    return function.py_func.__name__ in ("run", "open_loop", "closed_loop", "seek") or (
        function.py_func.__module__.endswith("normals") and function.py_func.__name__ == "draw"
    )


KEPT_OR_NEW = """
import numpy as np
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
net = CTRNN(np.full((3, 3), 0.2), [0.1, 0.2, 0.3], "tanh", 0.5)
ensemble = Ensemble(net, Noise(inside=0.2, outside=0.1), net.drive(), rng=4)
ensemble.tabulate(np.full(3, -9.0), np.full(3, 9.0), variance=True)
found = ensemble.measure(200, 1, np.full(3, 0.5))
print(*(x.hex() for name in ("first", "cross", "residual", "ahead") for x in getattr(found, name).ravel().tolist()))
"""


@pytest.mark.slow
def test_same_bits_whether_kernels_are_kept_or_new(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", KEPT_OR_NEW], check=True, env=environment, capture_output=True).stdout
        for _ in range(2)
    )
    assert len(first) > 1000
    assert first == second


LOADED = """
import sys
import ctrnn_theory as ct
net = ct.CTRNN.single(0.5, 0.1, "relu", 0.1)
ct.METHODS["simulation"].solve, net.activation.block
before = set(sys.modules)
ct.predict(net, ct.Noise(inside=0.5), method="simulation", steps=20)
print("numba.np.arraymath" in sys.modules, [name for name in set(sys.modules) - before if name.startswith("numba")])
"""


def test_kernels_from_the_disk_need_little_of_numba():
    # nor do calls of them import more of it, since two threads that do so at once may disturb each other
    first, second = (
        subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert second == "False []\n", first
