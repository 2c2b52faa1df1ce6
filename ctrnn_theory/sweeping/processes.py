"""Tasks distributed over processes of this machine, which are programs of their own and communicate through pipes.

Such a process needs nothing from the one that starts it but its two pipes: no semaphores, no guard of the main module,
and no permission to have children. It can therefore be started wherever Python runs, also from a thread, a daemonic
process or a worker of another engine. It ends when its input is closed, which the operating system does however the
other process ends.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Process = subprocess.Popen[bytes]
PROGRAM = "import sys; sys.path[:] = {}; from ctrnn_theory.sweeping.processes import serve; serve()"


def distribute(function: Callable[[Task], Answer], tasks: Iterator[Task], processes: int) -> Iterator[Answer]:
    """Apply a function to tasks in processes, and yield the results as they come, in any order.

    The processes must be able to import the function. They have ended when the iteration ends, however it ends. If no
    process can be started, this one does the work.

    Raises
    ------
    ChildProcessError
        If a process ends before it has answered, for example because the system killed it.
    """
    started: list[Process] = []
    feeders: list[Thread] = []
    try:
        _start(processes, started)
        if not started:
            yield from map(function, tasks)
            return
        answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        lock = Lock()
        for process in started:
            feeders.append(Thread(target=_feed, args=(process, function, tasks, lock, answers), daemon=True))
            feeders[-1].start()
        left = len(started)
        while left:
            answer, error = answers.get()
            if error is not None:
                raise error
            if answer is None:
                left -= 1
            else:
                yield answer
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()
        for feeder in feeders:
            feeder.join()


def _start(processes: int, started: list[Process]) -> None:
    """Add processes to `started`, as many as the system allows, so that an interrupted caller knows of them."""
    if not sys.executable or getattr(sys, "frozen", False):  # there is no interpreter to start
        return
    command = [sys.executable, "-c", PROGRAM.format([os.path.abspath(path) for path in sys.path])]
    for _ in range(processes):
        try:
            # in a session of its own: the terminal then interrupts this process alone, which ends the others
            pipes = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        except OSError:
            return
        started.append(pipes)


def _feed(
    process: Process, function: Callable[[Any], Any], tasks: Iterator[Any], lock: Lock, answers: SimpleQueue[Any]
) -> None:
    """Send a process one task after the other; put (answer, None) for each, and (None, None) or an error at the end."""
    error: BaseException | None = None
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin as to, process.stdout as back:
            while error is None:
                with lock:
                    task = next(tasks, None)
                if task is None:
                    break
                _send(to, pickle.dumps((function, task)))
                answer, error = pickle.load(back)
                if error is None:
                    answers.put((answer, None))
    except (EOFError, BrokenPipeError):
        error = ChildProcessError(f"a process that computed points ended before its time, with status {process.wait()}")
    except BaseException as other:  # it would be lost in this thread
        error = other
    answers.put((None, error))


def _send(to: Any, what: Any) -> None:
    """Write an object to a pipe."""
    pickle.dump(what, to, pickle.HIGHEST_PROTOCOL)
    to.flush()


def serve() -> None:
    """Answer the tasks on standard input until it is closed; this is the program of a process."""
    source, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # printed text must not mix with the answers
    received: SimpleQueue[bytes | None] = SimpleQueue()
    busy = Event()

    def read() -> None:
        with suppress(EOFError, OSError):
            while True:
                received.put(pickle.load(source))
        received.put(None)
        if busy.is_set():  # the other process did not wait for the answer, and so it has ended
            interrupt_main()

    Thread(target=read, daemon=True).start()
    with suppress(KeyboardInterrupt, BrokenPipeError):
        while (sent := received.get()) is not None:
            busy.set()
            _send(answers, _answer(sent))
            busy.clear()


def _answer(sent: bytes) -> tuple[Any, Exception | None]:
    """Apply the function to the task that was sent; return the result and None, or None and the error."""
    try:
        function, task = pickle.loads(sent)
        return function(task), None
    except Exception as error:
        return None, error
