"""What the database may have done without our hearing of it is looked for until it cannot be any more."""

import pytest

from tests.clock import Clock
from varsel.database import lost_answers
from varsel.database.lost_answers import UNDER_WAY_FOR, LostAnswers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lost_answers, "time", clock)
    return clock


def test_nothing_is_looked_for_before_anything_was_lost() -> None:
    assert not LostAnswers().may_be()


@pytest.mark.parametrize("away", [0.0, UNDER_WAY_FOR, 86_400.0])
def test_what_was_lost_is_looked_for_however_long_nobody_could_look(clock: Clock, away: float) -> None:
    answers = LostAnswers()
    answers.note()
    clock.now += away

    assert answers.may_be()


@pytest.mark.parametrize(("seconds", "goes_on"), [(0.0, True), (UNDER_WAY_FOR, True), (UNDER_WAY_FOR + 1, False)])
def test_looking_ends_once_no_statement_can_be_under_way(clock: Clock, seconds: float, goes_on: bool) -> None:
    answers = LostAnswers()
    answers.note()
    clock.now += seconds

    answers.looked()

    assert answers.may_be() is goes_on


def test_each_loss_begins_the_time_anew(clock: Clock) -> None:
    answers = LostAnswers()
    answers.note()
    clock.now += UNDER_WAY_FOR
    answers.note()
    clock.now += UNDER_WAY_FOR

    answers.looked()

    assert answers.may_be()
