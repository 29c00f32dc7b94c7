"""A register that does not answer rests, and whoever needs it meanwhile is told at once."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.clock import Clock
from tests.contact_register.played_register import (
    CLOSE,
    DECISION,
    ORGANIZATIONS,
    PERSONS,
    UNITS,
    PlayedRegister,
    Reply,
    calls_to,
    contact_points,
    played_register,
    said,
)
from tests.contact_register.told import ASKED, PAGE, PATH, Told, absent_url, reason_of
from varsel.asking import asking
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.contact_register import calls as calls_module
from varsel.contact_register.calls import AT_ONCE, TRIES, Calls
from varsel.contact_register.lookups import look_up
from varsel.contact_register.register import Contact, Resource
from varsel.database.connect import Pool
from varsel.errors import RegisterUnavailable
from varsel.settings import Settings

RESTING = "it did not answer a moment ago"
KARI, BRUKERE = "01818011039", "310700002"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(calls_module, "time", clock)
    return clock


async def test_a_register_that_does_not_answer_is_not_asked_while_it_rests(
    calls: Calls, played: PlayedRegister, clock: Clock
) -> None:
    played.in_turn = [CLOSE] * TRIES
    played.replies[PATH] = said({"number": 7})
    assert await reason_of(calls) == "RemoteProtocolError"

    clock.now += 0.999

    assert await reason_of(calls) == RESTING
    assert len(played.asked) == TRIES
    clock.now += 0.001
    assert await calls.post(PATH, ASKED, Told) == Told(7)


async def test_each_call_in_vain_doubles_the_rest_up_to_half_a_minute(
    calls: Calls, played: PlayedRegister, clock: Clock
) -> None:
    played.replies[PATH] = CLOSE
    rests: list[float] = []
    await reason_of(calls)

    for _ in range(8):
        began_at = clock.now
        while await reason_of(calls) == RESTING:  # where it is not, it was asked in vain, and the next rest begins
            clock.now += 0.5
        rests.append(clock.now - began_at)

    assert rests == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_calls_in_vain_at_the_same_time_are_one_rest(calls: Calls, played: PlayedRegister, clock: Clock) -> None:
    played.replies[PATH] = CLOSE
    await asyncio.gather(*(reason_of(calls) for _ in range(AT_ONCE)))
    played.replies[PATH] = said({"number": 7})

    clock.now += 1

    assert await calls.post(PATH, ASKED, Told) == Told(7)


@pytest.mark.parametrize("answer", [said({"number": 7}), said({}, 503), said(PAGE)], ids=["good", "error", "page"])
async def test_any_answer_ends_the_rest(calls: Calls, played: PlayedRegister, clock: Clock, answer: Reply) -> None:
    may_answer = played.hold("/slow")
    played.replies |= {"/slow": answer, "/silent": CLOSE, PATH: said({"number": 7})}
    slow = asyncio.create_task(_outcome(calls, "/slow"))
    await played.until_in_flight("/slow", 1)
    await reason_of(calls, "/silent")
    assert await reason_of(calls) == RESTING

    may_answer.set()
    await slow

    assert await calls.post(PATH, ASKED, Told) == Told(7)


async def _outcome(calls: Calls, path: str) -> Any:
    try:
        return await calls.post(path, ASKED, Told)
    except RegisterUnavailable as error:
        return error


async def test_after_an_answer_the_first_rest_is_short_again(
    calls: Calls, played: PlayedRegister, clock: Clock
) -> None:
    played.in_turn = [*[CLOSE] * TRIES * 2, said({"number": 7}), *[CLOSE] * TRIES]
    played.replies[PATH] = said({"number": 8})
    for rest in (1, 2):
        await reason_of(calls)
        clock.now += rest
    await calls.post(PATH, ASKED, Told)
    await reason_of(calls)

    clock.now += 1

    assert await calls.post(PATH, ASKED, Told) == Told(8)


@pytest.mark.parametrize("reply", [said({}, 503), said(PAGE)], ids=["error", "page"])
async def test_a_register_that_answers_with_an_error_does_not_rest(
    calls: Calls, played: PlayedRegister, clock: Clock, reply: Reply
) -> None:
    played.replies[PATH] = reply
    await reason_of(calls)
    played.replies[PATH] = said({"number": 7})

    assert await calls.post(PATH, ASKED, Told) == Told(7)


async def test_a_register_that_is_absent_rests_until_it_is_there(http: httpx2.AsyncClient, clock: Clock) -> None:
    url = await absent_url()
    calls = calls_to(url, http)
    assert await reason_of(calls) == "ConnectError from ConnectionRefusedError"
    async with played_register(int(url.rpartition(":")[2])) as played:
        played.replies[PATH] = said({"number": 7})
        assert await reason_of(calls) == RESTING

        clock.now += 1

        assert await calls.post(PATH, ASKED, Told) == Told(7)


async def test_those_who_wait_for_a_silent_register_are_told_by_the_first_who_asked_in_vain(
    calls: Calls, played: PlayedRegister, clock: Clock
) -> None:
    played.replies[PATH] = CLOSE

    reasons = await asyncio.gather(*(reason_of(calls) for _ in range(10 * AT_ONCE)))

    assert reasons.count(RESTING) >= 9 * AT_ONCE
    assert len(played.asked) <= AT_ONCE * TRIES


async def test_a_register_that_rests_keeps_no_other_from_being_asked(
    played: PlayedRegister, http: httpx2.AsyncClient, clock: Clock
) -> None:
    silent, other = calls_to(f"{played.url}/silent", http), calls_to(played.url, http)
    played.replies |= {f"/silent{PATH}": CLOSE, PATH: said({"number": 7})}
    await reason_of(silent)

    assert await other.post(PATH, ASKED, Told) == Told(7)
    assert await reason_of(silent) == RESTING


async def test_a_silent_policy_decision_point_keeps_nobody_from_being_looked_up(
    played: PlayedRegister, pool: Pool, settings: Settings, issuer: DevelopmentIssuer, clock: Clock
) -> None:
    places = {"profile_url": "profile", "register_url": "register", "authorization_url": "authorization"}
    urls = {setting: f"{played.url}/{place}" for setting, place in places.items()}
    user = {"userId": 20001, "email": "kari@sandbox.test"}
    played.replies |= {
        PERSONS: contact_points({"nationalIdentityNumber": KARI, "email": "kari@sandbox.test"}),
        ORGANIZATIONS: contact_points(),
        UNITS: contact_points({"organizationNumber": BRUKERE, "partyId": 50005, "userContactPoints": [user]}),
        DECISION: CLOSE,
    }
    async with asking(pool, settings.model_copy(update=urls), issuer) as asked:
        with pytest.raises(RegisterUnavailable):
            await look_up(asked.register, [BRUKERE], Resource("skjema", "read"))

        assert await look_up(asked.register, [KARI]) == {KARI: Contact(("kari@sandbox.test",))}
