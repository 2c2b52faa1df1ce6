"""A Dask cluster of two worker processes on loopback, one of which is killed in the middle."""

import contextlib
import re
import signal
import subprocess
import sys
import threading

import pytest

from ctrnn_theory.sweeping import engine
from ctrnn_theory.sweeping.sweep import sweep

pytest.importorskip("distributed")

SPEC = {
    "seed": 1,
    "methods": ["mean_field", "exact", "simulation"],
    "fixed": {"b": 0.1, "activation": "tanh"},
    "axes": {"w": [-0.5, 0.5], "sigma": {"linspace": [0.1, 1.0, 10]}, "site": ["inside", "outside"]},
    "quantities": ["mean", "bias", "standard_error"],
    "options": {"simulation": {"steps": 1000, "trajectories": 64}},
}


@contextlib.contextmanager
def started(*arguments, until):
    """A command of Dask, and what it says on the first line that matches; it is ended with the block."""
    command = [sys.executable, "-W", "ignore", "-m", "dask", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        found = next((match for line in process.stderr if (match := re.search(until, line))), None)
        rest = threading.Thread(target=process.stderr.read)  # a pipe that nobody reads would fill up
        rest.start()
        try:
            assert found is not None, f"{command} has ended"
            yield process, found[1]
        finally:
            process.kill()
            process.wait()
            rest.join()


@pytest.fixture
def cluster():
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    with started(*scheduler, until=r"Scheduler at: *(tcp://\S+)") as (_, address), contextlib.ExitStack() as stack:
        worker = ("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        workers = [stack.enter_context(started(*worker, until=r"(Registered to)"))[0] for _ in range(2)]
        yield address, workers


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of distributed's own
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_worker_that_is_killed_loses_nothing(cluster, monkeypatch, tmp_path):
    address, workers = cluster
    monkeypatch.setattr(engine, "LENGTH", 0.01)
    monkeypatch.setattr(engine, "SAMPLED", 1)
    monkeypatch.setattr(engine, "WINDOW", 7)
    done = []

    def progress(points, total, text):
        done.append(points)
        if points > total // 2 and workers[0].poll() is None:
            workers[0].send_signal(signal.SIGKILL)
            workers[0].wait()

    found = sweep(SPEC, out=tmp_path / "run", dask=address, progress=progress)
    assert workers[0].returncode == -signal.SIGKILL
    assert workers[1].poll() is None
    assert done[-1] == 120
    assert len(done) > 10  # tasks are short, so that the worker dies among them
    assert found.identical(sweep(SPEC, workers=1))


def test_address_of_nothing_is_refused(tmp_path):
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        with pytest.raises(ValueError, match=r"dask must be the address of a scheduler; got 'tcp://127\.0\.0\.1:9'"):
            sweep(SPEC, out=tmp_path / "run", dask="tcp://127.0.0.1:9")
        assert not (tmp_path / "run").exists()
