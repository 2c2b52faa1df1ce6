"""Settings that every test shares."""

import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

# a shell has what it starts in the background ignore interrupts, which some tests send
signal.signal(signal.SIGINT, signal.default_int_handler)

# the same examples in every run, so that a failure is a change's and not the day's;
# `--hypothesis-profile=explore` draws new ones, and more
settings.register_profile("fixed", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


def pytest_configure(config):
    """Have pytest-xdist hand out files as they come: it would keep those of few tests, however long, for the end."""
    config.option.loadscopereorder = False


@pytest.fixture(autouse=True)
def closed_figures():
    """Close what a test has drawn: pyplot keeps figures, and warns of many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
