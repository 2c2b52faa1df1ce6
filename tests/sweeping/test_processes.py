"""Processes that compute tasks: results and errors come back, and none is left, however the caller ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from itertools import count
from math import sqrt
from operator import neg
from pathlib import Path

import pytest

from ctrnn_theory.sweeping import processes

PID = "__import__('os').getpid()"


def ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_each_task_is_done_once_elsewhere():
    assert sorted(processes.distribute(neg, iter(range(40)), 3)) == list(range(-39, 1))
    pids = set(processes.distribute(eval, iter([PID] * 6), 2))
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2
    assert all(ended(pid) for pid in pids)


def test_tasks_are_taken_as_they_are_needed():
    given = count()
    results = processes.distribute(eval, (PID for _ in given), 2)
    pids = {next(results) for _ in range(5)}
    results.close()
    assert next(given) < 20
    assert all(ended(pid) for pid in pids)


def test_an_error_comes_back():
    with pytest.raises(ValueError, match="math domain error"):
        list(processes.distribute(sqrt, iter([1.0, -1.0, 2.0]), 2))
    with pytest.raises(ZeroDivisionError):
        list(processes.distribute(neg, (1 // i for i in (1, 0)), 2))
    with pytest.raises(Exception, match="pickle"):
        list(processes.distribute(lambda task: task, iter([1]), 2))


def test_what_is_printed_does_not_get_between():
    assert list(processes.distribute(eval, iter(["print('hello') or 7"]), 2)) == [7]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_process_that_is_killed_is_noticed():
    with pytest.raises(ChildProcessError, match=f"with status -{signal.SIGKILL:d}"):
        list(processes.distribute(signal.raise_signal, iter([signal.SIGKILL] * 3), 1))


def refuse(*arguments, **options):
    raise PermissionError("no processes here")


@pytest.mark.parametrize(("place", "name", "value"), [(sys, "executable", ""), (subprocess, "Popen", refuse)])
def test_without_processes_the_work_is_done_here(monkeypatch, place, name, value):
    monkeypatch.setattr(place, name, value)
    assert list(processes.distribute(eval, iter([PID] * 3), 2)) == [os.getpid()] * 3


PROGRAM = """
from ctrnn_theory.sweeping import processes

for pid in processes.distribute(eval, iter([{pid!r}] * 2 + ["sum(1 for _ in iter(int, 1))"] * 2), 2):  # without end
    print(pid, flush=True)
"""


def marked(mark):
    """Processes whose environment holds a mark, without those that have ended and are not waited for."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked at in /proc")
@pytest.mark.parametrize(
    ("kind", "group"), [("SIGKILL", False), ("SIGINT", False), ("SIGINT", True), ("SIGTERM", True)]
)
def test_processes_end_with_their_caller(kind, group):
    number, mark = getattr(signal, kind), uuid.uuid4().hex
    command, environment = [sys.executable, "-c", PROGRAM.format(pid=PID)], {**os.environ, "MARK": mark}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        pids = [int(process.stdout.readline()) for _ in range(2)]
        assert {process.pid, *pids} <= set(marked(mark))
        time.sleep(0.2)  # they are at tasks without end now
        (os.killpg if group else os.kill)(process.pid, number)
        assert process.wait() == -number
        limit = time.monotonic() + 20.0
        while marked(mark) and time.monotonic() < limit:
            time.sleep(0.05)
        left = marked(mark)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left
        error = process.stderr.read().decode()
    assert error.count("Traceback") == error.count("KeyboardInterrupt") == (number == signal.SIGINT)
