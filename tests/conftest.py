"""For every test: no alarm outlives it, or it would end whatever runs next in the process; and chance has no part:
generated cases are the same in every run, however fast the machine is.
"""

import signal
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "certify", derandomize=True, database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("certify")


@pytest.fixture(autouse=True)
def no_alarm_is_left() -> Iterator[None]:
    """The test that leaves one running fails, instead of those that come after."""
    yield
    left = signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert left == (0.0, 0.0), "an alarm is still set"
