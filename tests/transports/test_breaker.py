"""The breaker: each change of its state, and what changes nothing."""

from datetime import timedelta

import pytest

from tests.clock import Clock
from varsel.transports.breaker import Breaker, Pass, Pauses, State

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(Pauses(SECOND, 60 * SECOND, 60 * SECOND), clock)


def admitted(breaker: Breaker) -> Pass:
    given = breaker.admit()
    assert given is not None
    return given


def test_a_relay_is_usable_until_it_fails(breaker: Breaker) -> None:
    assert [admitted(breaker).is_trial for _ in range(3)] == [False] * 3
    assert breaker.state is State.USABLE
    assert breaker.remaining == timedelta(0)


def test_a_relay_that_failed_rests(breaker: Breaker, clock: Clock) -> None:
    assert breaker.rest(admitted(breaker))

    clock.now += 0.99
    assert breaker.admit() is None
    assert breaker.remaining == pytest.approx(timedelta(seconds=0.01), abs=timedelta(milliseconds=1))


def test_after_the_pause_one_mail_tries(breaker: Breaker, clock: Clock) -> None:
    breaker.rest(admitted(breaker))
    clock.now += 1

    assert admitted(breaker).is_trial
    assert breaker.admit() is None
    assert breaker.remaining == SECOND


def test_a_trial_that_goes_well_makes_the_relay_usable(breaker: Breaker, clock: Clock) -> None:
    breaker.rest(admitted(breaker))
    clock.now += 1

    assert breaker.recover(admitted(breaker))

    assert not admitted(breaker).is_trial


def test_each_trial_that_fails_doubles_the_pause_up_to_the_longest(breaker: Breaker, clock: Clock) -> None:
    pauses = []
    for _ in range(8):
        breaker.rest(admitted(breaker))
        pauses.append(breaker.remaining.total_seconds())
        clock.now += pauses[-1]

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_recovery_makes_the_pauses_short_again(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.rest(admitted(breaker))
        clock.now += 60
    breaker.recover(admitted(breaker))

    breaker.rest(admitted(breaker))

    assert breaker.remaining == SECOND


def test_a_rest_may_be_longer_than_its_turn(breaker: Breaker) -> None:
    breaker.rest(admitted(breaker), at_least=60 * SECOND)

    assert breaker.remaining == 60 * SECOND


def test_mails_that_were_under_way_when_it_failed_tell_nothing_new(breaker: Breaker, clock: Clock) -> None:
    first, second, third = (admitted(breaker) for _ in range(3))
    breaker.rest(first)

    assert not breaker.rest(second)
    assert not breaker.recover(third)
    assert breaker.remaining == SECOND
    clock.now += 1
    admitted(breaker)
    assert not breaker.recover(second)
    assert breaker.state is State.ON_TRIAL


def test_a_trial_given_back_leaves_it_to_the_next_mail(breaker: Breaker, clock: Clock) -> None:
    breaker.rest(admitted(breaker))
    clock.now += 1

    breaker.give_back(admitted(breaker))

    assert admitted(breaker).is_trial


@pytest.mark.parametrize("state", State)
def test_what_is_given_back_late_changes_nothing(breaker: Breaker, clock: Clock, state: State) -> None:
    old = admitted(breaker)
    if state is not State.USABLE:
        breaker.rest(admitted(breaker))
    if state is State.ON_TRIAL:
        clock.now += 1
        admitted(breaker)

    breaker.give_back(old)

    assert breaker.state is state


def test_a_success_of_a_usable_relay_is_no_news(breaker: Breaker) -> None:
    assert not breaker.recover(admitted(breaker))
