"""When the next attempt of a deferred notification is due."""

import random
from datetime import timedelta


def pause_before_next_attempt(attempt: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """The first pause, doubled with every attempt, never longer than `longest`, give or take a tenth.

    The tenth keeps what was deferred together (the relay was down for all) from coming back all at once.
    """
    doublings = min(attempt - 1, 20)  # far beyond any `longest`; bounds the number, not the pause
    return min(first * (1 << doublings), longest) * random.uniform(0.9, 1.1)  # noqa: S311  # spreads load only
