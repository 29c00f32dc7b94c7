"""What the services of the kill test have logged.

No JSON parser reads it: a kill may have cut a line, so that it and the next are one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

# What tells how orders were held up and came free again; "orders" beside it: so many at once.
HELD_UP = (
    "order delayed",
    "send condition unanswered",
    "send condition unanswered again",
    "order not processed: the database is away",
    "orders put back: the database was away",
    "orders put back: their worker is gone",
    "order left to others: the claim was lost",
    "request answered 503: the contact register does not answer",
)

_TELLING = re.compile(r'"(event|raised|error)": "([^"]*)"')
_EVENT = re.compile(r'"event": "([^"]*)"')
_ORDERS = re.compile(r'"orders": (\d+)')


def logged_errors(logs: Iterable[Path]) -> Counter[str]:
    """What was logged at the level ERROR, and how often; what was raised stands behind it."""
    errors: Counter[str] = Counter()
    for line in _lines(logs):
        if '"level": "error"' in line:
            errors[" ".join(value for _, value in _TELLING.findall(line))] += 1
    return errors


def held_up(logs: Iterable[Path]) -> Counter[str]:
    """How many orders, or requests, met each of these."""
    counts: Counter[str] = Counter()
    for line in _lines(logs):
        event = _EVENT.search(line)
        if event and event[1] in HELD_UP:
            orders = _ORDERS.search(line)
            counts[event[1]] += int(orders[1]) if orders else 1
    return counts


def _lines(logs: Iterable[Path]) -> Iterator[str]:
    for log in logs:
        yield from log.read_text(encoding="utf-8", errors="replace").splitlines()
