"""Settings that every test shares."""

import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

from ctrnn_theory.support.blas_threads import one_thread

# a process that a shell starts in the background ignores interrupts, which some tests send
signal.signal(signal.SIGINT, signal.default_int_handler)

# every run draws the same examples, so that a failure comes from a change;
# `--hypothesis-profile=explore` draws new ones, and more
settings.register_profile("fixed", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


def pytest_configure(config):
    """Have pytest-xdist hand out files as they come: it would keep those of few tests, however long, for the end."""
    config.option.loadscopereorder = False


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures that a test has drawn, since pyplot keeps them, and warns if there are many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def one_blas_thread(request):
    """Hold linear algebra to one thread, as public functions do, since tests also call what these call.

    Two threads of each of two processes on two cores would wait for each other for most of the time.
    """
    if request.path.name == "test_blas.py":  # which looks at the limit
        yield
        return
    with one_thread():
        yield
