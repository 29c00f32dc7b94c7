"""Ids that ascend with time (RFC 9562 section 5.7)."""

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

from varsel.database import uuid7 as module
from varsel.database.uuid7 import uuid7, uuid7s

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
A_TIME = datetime(2026, 11, 30, 8, 0, 0, tzinfo=UTC)


def time_of(id_: UUID) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=id_.int >> 80)


def set_clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    nanoseconds = int(moment.timestamp()) * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns every few instructions, so that what one may spoil for another is spoilt."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def no_id_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_last", 0)


def test_an_id_is_of_version_7_and_the_rfcs_variant() -> None:
    ids = [uuid7() for _ in range(1_000)]

    assert {(id_.version, id_.variant) for id_ in ids} == {(7, RFC_4122)}


def test_an_id_tells_when_it_was_made(no_id_yet: None) -> None:
    before = datetime.now(UTC)
    made = time_of(uuid7())
    after = datetime.now(UTC)

    assert before - timedelta(milliseconds=1) <= made <= after


def test_each_id_is_greater_than_the_one_before() -> None:
    ids = [uuid7() for _ in range(20_000)]

    assert ids == sorted(set(ids))
    assert [str(id_) for id_ in ids] == sorted(str(id_) for id_ in ids)


def test_ids_of_one_moment_ascend_and_keep_its_time(no_id_yet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, A_TIME)

    ids = [uuid7() for _ in range(1_000)]

    assert ids == sorted(set(ids))
    assert {time_of(id_) for id_ in ids} == {A_TIME}


def test_a_clock_that_steps_back_does_not_turn_the_order_round(
    no_id_yet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, A_TIME)
    first = uuid7()
    set_clock(monkeypatch, A_TIME - timedelta(hours=1))
    second = uuid7()
    set_clock(monkeypatch, A_TIME + timedelta(hours=1))
    third = uuid7()

    assert first < second < third
    assert time_of(third) == A_TIME + timedelta(hours=1)


def test_ids_of_another_process_at_the_same_time_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, A_TIME)
    ids = set()

    for _ in range(1_000):
        monkeypatch.setattr(module, "_last", 0)  # as another process begins
        ids.add(uuid7())

    assert len(ids) == 1_000


def test_threads_never_share_an_id() -> None:
    ids: list[UUID] = []
    threads = [threading.Thread(target=lambda: ids.extend(uuid7() for _ in range(2_000))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(ids)) == 8_000


def test_many_at_once_ascend_and_so_do_those_of_the_next_call() -> None:
    ids = [id_ for count in (1, 1_000, 0, 7, 5_000, 1) for id_ in uuid7s(count)]

    assert len(ids) == 6_009
    assert ids == sorted(set(ids))
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, RFC_4122)}


def test_many_at_once_ascend_beside_single_ones(no_id_yet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, A_TIME)

    ids = [uuid7(), *uuid7s(100), uuid7(), *uuid7s(100), uuid7()]

    assert ids == sorted(set(ids))


def test_many_at_once_ascend_though_the_clock_steps_back_between(
    no_id_yet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, A_TIME)
    first = uuid7s(100)
    set_clock(monkeypatch, A_TIME - timedelta(days=1))

    second = uuid7s(100)

    assert [*first, *second] == sorted({*first, *second})


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_make_many_at_once_never_share_one_and_each_ascends(
    no_id_yet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(time.time_ns(), 1_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: next(ticks))  # every call finds another millisecond
    made: list[list[UUID]] = []
    together = threading.Barrier(4)

    def make() -> None:
        together.wait(LIMIT)
        made.append([id_ for _ in range(5_000) for id_ in uuid7s(3)])

    threads = [threading.Thread(target=make) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [ids == sorted(ids) for ids in made] == [True] * 4
    assert len({id_ for ids in made for id_ in ids}) == 60_000
