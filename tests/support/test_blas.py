"""BLAS has one thread while a public function runs, and afterwards what it had before."""

import inspect
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import ctrnn_theory as ct
from ctrnn_theory.support import blas_threads
from ctrnn_theory.training.settings import Settings
from ctrnn_theory.training.trainer import Objective

THREADS = 2
SMALL = ct.CTRNN.single(w=0.5, b=0.1, activation="tanh")


@pytest.fixture(autouse=True)
def _user():
    with threadpool_limits(THREADS, user_api="blas"):
        yield
        assert threads() == {THREADS}


def threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def threads_of():
    return {library.num_threads for libraries in blas_threads._libraries() for library in libraries}


def test_every_library_is_found():
    """NumPy and SciPy may each bring their own."""
    import scipy.linalg  # noqa: F401

    assert (
        sum(map(len, blas_threads._libraries()))
        == sum(library["user_api"] == "blas" for library in threadpool_info())
        > 0
    )


def test_blocks_within_blocks():
    with blas_threads.one_thread():
        with blas_threads.one_thread(5):
            assert threads() == {1}
        assert threads() == {1}
        with blas_threads.one_thread(blas_threads.LARGE):
            assert threads() == {1}
    with blas_threads.one_thread(blas_threads.LARGE):
        assert threads() == {THREADS}


def test_errors_end_the_limit():
    with pytest.raises(KeyboardInterrupt), blas_threads.one_thread():
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="method must be"):
        ct.predict(SMALL, ct.Noise(0.1), method="none")


def test_blocks_that_overlap():
    """The first to go does not lift the limit of those that stay, and the last one does not leave it behind."""
    entered, leave, found = threading.Event(), threading.Event(), []

    def other():
        with blas_threads.one_thread():
            entered.set()
            leave.wait(10)
            found.append(threads())

    thread = threading.Thread(target=other)
    with blas_threads.one_thread():
        thread.start()
        entered.wait(10)
    assert threads() == {1}
    leave.set()
    thread.join()
    assert found == [{1}]


def test_many_threads():
    def often(_):
        for _ in range(200):
            with blas_threads.one_thread():
                assert threads_of() == {1}

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(often, range(8)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_new_processes_have_no_holders_but_themselves():
    entered, leave = threading.Event(), threading.Event()

    def other():
        with blas_threads.one_thread():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if threads() == {THREADS} else 1)
    leave.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with blas_threads.one_thread():
        child = os.fork()
        if child == 0:
            os._exit(0 if threads() == {1} else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_costs_little():
    with blas_threads.one_thread():  # the libraries are looked for once
        pass
    begin = time.process_time()
    for _ in range(1000):
        with blas_threads.one_thread():
            pass
    assert time.process_time() - begin < 0.2  # 0.2 ms each, where a fresh look at the libraries takes 2 ms


FUNCTIONS = {
    name: function
    for space in (ct, ct.fokker_planck, ct.testing)
    for name in space.__all__
    if inspect.isfunction(function := getattr(space, name))
}
WITHOUT = {
    *("activation", "batch_means", "cite", "register_method"),  # no matrices
    *("register_convention", "load_network", "from_torch", "to_torch", "to_arrays", "save_safetensors"),  # likewise
    *("activations", "networks", "noises"),  # strategies
}


def test_every_public_function_is_limited():
    inner = blas_threads.limited(len).__code__

    def is_limited(function):  # it may be decorated for other reasons too
        return function.__code__ is inner or (hasattr(function, "__wrapped__") and is_limited(function.__wrapped__))

    assert {name for name, function in FUNCTIONS.items() if not is_limited(function)} == WITHOUT


def test_limits_of_single_threads(monkeypatch):
    """With OpenMP each thread has its own: blocks of two threads do not see each other."""

    class Library(threading.local):
        num_threads = 4

        def set_num_threads(self, count):
            self.num_threads = count

    library = Library()
    monkeypatch.setattr(blas_threads, "_libraries", lambda: ((), (library,)))

    def other():
        assert library.num_threads == 4
        with blas_threads.one_thread(), blas_threads.one_thread():
            assert library.num_threads == 1
        return library.num_threads

    with ThreadPoolExecutor(1) as pool, blas_threads.one_thread():
        assert pool.submit(other).result() == 4
        assert library.num_threads == 1
    assert library.num_threads == 4


def test_networks_decide_by_their_size():
    seen = []
    watched = blas_threads.limited(lambda net: seen.append(threads()))
    watched(SMALL)
    watched(net=SMALL)
    watched(ct.CTRNN(np.zeros((blas_threads.LARGE, blas_threads.LARGE)), 0.0))
    assert seen == [{1}, {1}, {THREADS}]


def test_numbers_do_not_depend_on_the_threads_of_the_user():
    rng = np.random.default_rng(0)
    net = ct.CTRNN(rng.normal(size=(80, 80)) * 0.05, rng.normal(size=80), "tanh", 0.2)
    found = []
    for count in (1, THREADS):
        with threadpool_limits(count, user_api="blas"):
            found.append(ct.predict(net, ct.Noise(0.3), method="gaussian_closure"))
    assert np.array_equal(found[0].mean, found[1].mean)
    assert np.array_equal(found[0].covariance, found[1].covariance)


def test_texts_and_losses_are_limited(monkeypatch):
    seen = []
    monkeypatch.setattr(np.linalg, "eigvals", lambda W: seen.append(threads()) or np.zeros(len(W)))
    repr(ct.CTRNN(np.zeros((2, 2)), 0.0))
    assert seen == [{1}]

    settings = Settings.of("function", 2, "relu", None, ct.Noise(0.3), None, 300, None, None, 0)
    monkeypatch.setattr(type(settings.task), "losses", lambda *_: seen.append(threads()) or np.zeros(1))
    Objective(settings)(settings.task.guess(settings.layout, np.random.default_rng(1)))
    assert seen == [{1}] * 2
