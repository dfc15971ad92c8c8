"""For every test: no alarm outlives it, or it would end whatever runs next in the process."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_alarm_is_left() -> Iterator[None]:
    """The test that leaves one running fails, instead of those that come after."""
    yield
    left = signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert left == (0.0, 0.0), "an alarm is still set"
