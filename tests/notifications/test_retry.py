"""How long a deferred notification waits for its next attempt."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varsel.notifications.retry import pause_before_next_attempt

FIRST, LONGEST = timedelta(seconds=60), timedelta(hours=1)
DURATIONS = st.timedeltas(timedelta(milliseconds=1), timedelta(days=2))


def pause(attempt: int) -> timedelta:
    return pause_before_next_attempt(attempt, first=FIRST, longest=LONGEST)


@pytest.mark.parametrize(
    ("attempt", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (1_000, 60)]
)
def test_the_pause_doubles_with_every_attempt_up_to_the_longest(attempt: int, minutes: int) -> None:
    middle = timedelta(minutes=minutes)

    assert middle * 0.9 <= pause(attempt) <= middle * 1.1


@settings(deadline=None)
@given(st.integers(1, 10_000), DURATIONS, DURATIONS)
def test_a_pause_is_never_nothing_and_never_beyond_the_longest(
    attempt: int, first: timedelta, longest: timedelta
) -> None:
    found = pause_before_next_attempt(attempt, first=first, longest=longest)

    assert timedelta(0) < found <= longest * 1.1


def test_what_was_deferred_together_does_not_come_back_together() -> None:
    pauses = {pause(1) for _ in range(100)}

    assert len(pauses) > 90
    assert max(pauses) - min(pauses) > FIRST * 0.1
