"""Several relays: the first usable one takes the mail, and each is tried again when it had a rest."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Generic, Self, TypeVar

import pytest
from structlog.testing import capture_logs

from tests.relay import ScriptedRelay
from tests.transports.raw_relay import LIMIT, new_mail
from varsel.mail_server import MailServer
from varsel.relay import Relay
from varsel.sandbox.handler import DROP, Answer, Envelope, Recipient, Reply
from varsel.sandbox.smtp_server import SmtpServer
from varsel.transports.breaker import Pauses
from varsel.transports.relays import Relays
from varsel.transports.smtp import SmtpTransport
from varsel.transports.transport import Accepted, Deferred, InDoubt, Outcome, Rejected, Unreachable

LATER, NEVER, BUSY = Reply(451, "4.3.0 Later"), Reply(550, "5.1.1 Never"), Reply(421, "4.7.0 Too many")
CLOSING = Reply(421, "4.3.2 Shutting down")
SHORT = Pauses(timedelta(milliseconds=5), timedelta(milliseconds=20), timedelta(milliseconds=5))
LONG = Pauses(timedelta(hours=1), timedelta(hours=1), timedelta(hours=1))


class HeldRelay(ScriptedRelay):
    """Answers no RCPT before its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.arrived = asyncio.Event(), asyncio.Event()

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        self.arrived.set()
        await self.gate.wait()
        return await super().on_recipient(envelope, recipient)


ScriptT = TypeVar("ScriptT", bound=ScriptedRelay)


class Served(Generic[ScriptT]):
    """A scripted relay and its server, which can go down and come up at its port."""

    def __init__(self, script: ScriptT) -> None:
        self.script = script
        self.server = SmtpServer(script)

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.server.stop()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server.port}"


def served() -> Served[ScriptedRelay]:
    return Served(ScriptedRelay())


@asynccontextmanager
async def relays_to(*ways: Served[Any], pauses: Pauses = LONG, connections: int = 2) -> AsyncIterator[Relays]:
    servers = [MailServer("smtp", "127.0.0.1", way.server.port) for way in ways]
    transports = [SmtpTransport(Relay(server, connections=connections), notify=()) for server in servers]
    relays = Relays(transports, pauses=pauses)
    try:
        async with asyncio.timeout(LIMIT):
            yield relays
    finally:
        await relays.close()


async def submit_each(relays: Relays, count: int, name: str = "kari") -> list[Outcome]:
    return [await relays.submit(new_mail(f"{name}+{number}@sandbox.test")) for number in range(count)]


async def until(relays: Relays, holds: Callable[[Outcome], bool]) -> Outcome:
    """Submit mails, each when some relay may be tried, until the outcome of one is as wanted."""
    while True:
        await relays.wait_until_usable()
        outcome = await relays.submit(new_mail())
        if holds(outcome):
            return outcome


async def held_at(relay: HeldRelay, submit: Callable[[], Coroutine[Any, Any, Outcome]]) -> asyncio.Task[Outcome]:
    """Submit one mail after another until one is held."""
    arrived = asyncio.create_task(relay.arrived.wait())
    while True:
        submitted = asyncio.create_task(submit())
        await asyncio.wait({submitted, arrived}, return_when=asyncio.FIRST_COMPLETED)
        if arrived.done():
            return submitted


def answers(answer: Answer) -> Callable[[str], Answer]:
    return lambda address: answer


async def test_the_preferred_relay_takes_every_mail_while_it_is_usable() -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        outcomes = await submit_each(relays, 3)

    assert [outcome.relay for outcome in outcomes] == [one.name] * 3
    assert two.script.connections == 0


@pytest.mark.parametrize("answer", [BUSY, Reply(554, "5.3.2 No service"), DROP], ids=str)
async def test_a_mail_that_meets_a_relay_in_trouble_goes_to_the_next_one(answer: Answer) -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_connect = lambda: answer

        outcome = await relays.submit(new_mail())

    assert isinstance(outcome, Accepted)
    assert outcome.relay == two.name


@pytest.mark.parametrize("answer", [CLOSING, DROP], ids=str)
async def test_a_mail_whose_connection_is_lost_before_the_message_goes_to_the_next_relay(answer: Answer) -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_recipient = answers(answer)

        outcome = await relays.submit(new_mail())

    assert isinstance(outcome, Accepted)
    assert (outcome.relay, one.script.taken) == (two.name, [])


async def test_a_relay_that_is_down_is_left_alone_while_it_rests() -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_connect = lambda: DROP

        outcomes = await submit_each(relays, 5)

    assert [outcome.relay for outcome in outcomes] == [two.name] * 5
    assert one.script.connections == 1


async def test_a_relay_that_was_restarted_takes_mail_again_and_is_told_of_once() -> None:
    async with served() as one, served() as two, relays_to(one, two, pauses=SHORT) as relays:
        await submit_each(relays, 2)
        with capture_logs() as logs:
            await one.server.stop()
            meanwhile = await submit_each(relays, 20, "meanwhile")
            await one.server.start()
            await until(relays, lambda outcome: outcome.relay == one.name)

    assert all(isinstance(outcome, Accepted) for outcome in meanwhile)
    assert [(log["event"], log["log_level"], log["relay"]) for log in logs] == [
        ("relay is down", "warning", one.name),
        ("relay is back", "info", one.name),
    ]
    assert len({*one.script.recipients} | {*two.script.recipients}) == 2 + 20 + 1


async def test_a_relay_that_stays_down_is_told_of_once() -> None:
    async with served() as one, served() as two, relays_to(one, two, pauses=SHORT) as relays:
        one.script.answer_connect = lambda: DROP
        with capture_logs() as logs:
            while one.script.connections < 4:
                assert isinstance(await relays.submit(new_mail()), Accepted)

    assert [(log["event"], log["relay"]) for log in logs] == [("relay is down", one.name)]
    assert "kari" not in str(logs)


async def test_only_one_mail_finds_out_whether_a_relay_is_back() -> None:
    async with Served(HeldRelay()) as one, served() as two, relays_to(one, two, pauses=SHORT) as relays:
        one.script.answer_connect = lambda: DROP
        await submit_each(relays, 1)
        one.script.answer_connect = lambda: None
        trial = await held_at(one.script, lambda: relays.submit(new_mail()))

        outcomes = await asyncio.gather(*(relays.submit(new_mail(f"{n}@sandbox.test")) for n in range(10)))

        one.script.gate.set()
        assert (await trial).relay == one.name
    assert {outcome.relay for outcome in outcomes} == {two.name}
    assert len(one.script.taken) == 1


async def test_a_relay_that_defers_everything_is_left_for_another() -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_recipient = answers(LATER)

        outcomes = await submit_each(relays, 15)

    assert [outcome.relay for outcome in outcomes] == [one.name] * 9 + [two.name] * 6
    assert len(two.script.taken) == 6


async def test_one_greylisted_recipient_is_no_reason_to_leave_a_relay() -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_recipient = answers(LATER)

        outcomes = [await relays.submit(new_mail()) for _ in range(30)]

    assert {(type(outcome), outcome.relay) for outcome in outcomes} == {(Deferred, one.name)}
    assert two.script.connections == 0


@pytest.mark.parametrize("between", [None, NEVER], ids=str)
async def test_a_relay_that_answers_somebody_does_not_defer_everything(between: Answer) -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_recipient = lambda address: between if address.startswith("kari+5@") else LATER

        outcomes = await submit_each(relays, 14)

    assert {outcome.relay for outcome in outcomes} == {one.name}
    assert sum(isinstance(outcome, Accepted | Rejected) for outcome in outcomes) == 1


async def test_the_only_relay_may_defer_as_it_likes() -> None:
    async with served() as one, relays_to(one) as relays:
        one.script.answer_recipient = answers(LATER)

        with capture_logs() as logs:
            outcomes = await submit_each(relays, 30)

    assert all(isinstance(outcome, Deferred) for outcome in outcomes)
    assert logs == []


async def test_a_relay_that_defers_everything_is_better_than_none() -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_recipient = answers(LATER)
        await submit_each(relays, 10)
        await two.server.stop()

        outcomes = await submit_each(relays, 3, "ola")

    assert {(type(outcome), outcome.relay) for outcome in outcomes} == {(Deferred, one.name)}


async def test_a_relay_that_deferred_everything_is_used_again_when_it_takes_a_mail() -> None:
    async with served() as one, served() as two, relays_to(one, two, pauses=SHORT) as relays:
        one.script.answer_recipient = answers(LATER)
        await submit_each(relays, 10)
        one.script.answer_recipient = answers(None)

        outcome = await until(relays, lambda outcome: outcome.relay == one.name)

        assert isinstance(outcome, Accepted)
        assert {outcome.relay for outcome in await submit_each(relays, 3)} == {one.name}


async def test_the_trial_of_a_relay_that_still_defers_costs_the_mail_nothing() -> None:
    tried: list[str] = []

    def defer(address: str) -> Answer:
        tried.append(address)
        return LATER

    async with served() as one, served() as two, relays_to(one, two, pauses=SHORT) as relays:
        one.script.answer_recipient = defer
        await submit_each(relays, 10)
        outcomes = []
        while len(tried) < 12:
            outcomes.append(await relays.submit(new_mail()))

    assert {outcome.relay for outcome in outcomes} == {two.name}
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


async def test_a_mail_in_doubt_goes_nowhere_else() -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_message = lambda content: DROP

        outcomes = await submit_each(relays, 3)

    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    assert len(one.script.seen) == 3
    assert two.script.seen == []


async def test_a_relay_that_leaves_everything_in_doubt_rests_and_what_it_has_seen_goes_nowhere_else() -> None:
    async with served() as one, served() as two, relays_to(one, two) as relays:
        one.script.answer_message = lambda content: DROP

        outcomes = await submit_each(relays, 12)

    assert [type(outcome) for outcome in outcomes] == [InDoubt] * 10 + [Accepted] * 2
    assert two.script.recipients == ["kari+10@sandbox.test", "kari+11@sandbox.test"]


async def test_a_mail_that_costs_its_connection_every_time_takes_no_relay_down() -> None:
    async with served() as one, relays_to(one) as relays:
        one.script.answer_recipient = lambda address: DROP if address.startswith("poison@") else None

        outcomes = [await relays.submit(new_mail("poison@sandbox.test")) for _ in range(10)]
        other = await relays.submit(new_mail())

    assert {(type(outcome)) for outcome in outcomes} == {Unreachable}
    assert isinstance(other, Accepted)


async def test_a_relay_that_drops_everybodys_connection_rests() -> None:
    async with served() as one, relays_to(one) as relays:
        one.script.answer_recipient = answers(DROP)

        await submit_each(relays, 20)

    assert one.script.connections == 3


@pytest.mark.parametrize("count", [1, 2])
async def test_where_no_relay_is_usable_the_mail_waits_for_the_first_that_may_be(count: int) -> None:
    pauses = Pauses(timedelta(seconds=40), timedelta(hours=1), timedelta(hours=1))
    async with served() as one, served() as two:
        ways = (one, two)[:count]
        for each in ways:
            each.script.answer_connect = lambda: DROP
        async with relays_to(*ways, pauses=pauses) as relays:
            outcomes = await submit_each(relays, 5)

    assert all(isinstance(outcome, Unreachable) for outcome in outcomes)
    pauses_told = [outcome.retry_in for outcome in outcomes if isinstance(outcome, Unreachable)]
    assert all(timedelta(seconds=20) < pause <= timedelta(seconds=40) for pause in pauses_told)
    assert [each.script.connections for each in ways] == [1] * count


async def test_who_waits_for_a_usable_relay_goes_on_when_one_may_be_tried() -> None:
    async with served() as one, relays_to(one, pauses=SHORT) as relays:
        await relays.wait_until_usable()
        await one.server.stop()
        assert isinstance(await relays.submit(new_mail()), Unreachable)
        await one.server.start()

        await relays.wait_until_usable()

        assert isinstance(await until(relays, lambda outcome: True), Accepted)


async def test_who_waits_for_a_usable_relay_waits_while_it_rests() -> None:
    async with served() as one, relays_to(one, pauses=LONG) as relays:
        one.script.answer_connect = lambda: DROP
        await relays.submit(new_mail())

        waiting = asyncio.create_task(relays.wait_until_usable())
        await relays.submit(new_mail())

        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting})


async def test_who_waits_never_waits_longer_than_the_longest_pause() -> None:
    async with Served(HeldRelay()) as one, relays_to(one, pauses=SHORT) as relays:
        one.script.answer_connect = lambda: DROP
        await relays.submit(new_mail())
        one.script.answer_connect = lambda: None
        await relays.wait_until_usable()
        trial = asyncio.create_task(relays.submit(new_mail()))
        await one.script.arrived.wait()

        await relays.wait_until_usable()

        assert not trial.done()
        trial.cancel()
        await asyncio.wait({trial})


async def test_a_cancelled_trial_leaves_the_next_one_to_another_mail() -> None:
    async with Served(HeldRelay()) as one, relays_to(one, pauses=SHORT, connections=1) as relays:
        one.script.answer_connect = lambda: DROP
        assert isinstance(await relays.submit(new_mail()), Unreachable)
        one.script.answer_connect = lambda: None
        await relays.wait_until_usable()
        trial = asyncio.create_task(relays.submit(new_mail("ola@sandbox.test")))
        await one.script.arrived.wait()
        trial.cancel()
        await asyncio.wait({trial})
        one.script.gate.set()

        outcome = await relays.submit(new_mail())

    assert trial.cancelled()
    assert isinstance(outcome, Accepted)
