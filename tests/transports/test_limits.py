"""Limits: what we allow ourselves, what a relay that has no room is spared, and a relay that wants an operator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.transports.raw_relay import EHLO, LIMIT, RawRelay, new_mail, raw_relay
from varsel.relay import Relay
from varsel.transports import connections as connections_module
from varsel.transports.breaker import Pauses
from varsel.transports.relays import Relays
from varsel.transports.smtp import SmtpTransport
from varsel.transports.transport import Accepted, Outcome, Unreachable
from varsel.transports.trouble import NotReached, Trouble
from varsel.transports.width import Width

OFFERS_AUTH = {"EHLO": f"{EHLO}250 AUTH PLAIN LOGIN"}
SHORT = Pauses(timedelta(milliseconds=5), timedelta(milliseconds=20), timedelta(milliseconds=20))
HOUR = timedelta(hours=1)


@asynccontextmanager
async def relays_to(*urls: str, pauses: Pauses = SHORT) -> AsyncIterator[Relays]:
    relays = Relays([SmtpTransport(Relay.from_url(url), notify=()) for url in urls], pauses=pauses)
    try:
        async with asyncio.timeout(LIMIT):
            yield relays
    finally:
        await relays.close()


async def submit_at_once(relays: Relays, count: int) -> list[Outcome]:
    return await asyncio.gather(*(relays.submit(new_mail(f"kari+{n}@sandbox.test")) for n in range(count)))


def all_accepted(outcomes: list[Outcome]) -> bool:
    return all(isinstance(outcome, Accepted) for outcome in outcomes)


@pytest.mark.parametrize("most", [1, 3])
async def test_the_relay_sees_no_more_connections_at_a_time_than_its_url_allows(most: int) -> None:
    async with (
        raw_relay() as relay,
        relays_to(f"smtp://127.0.0.1:{relay.port}?connections={most}&mails_a_connection=2") as relays,
    ):
        outcomes = await submit_at_once(relays, 20)

    assert all_accepted(outcomes)
    assert 0 < relay.most_open <= most
    assert relay.connections >= 10


async def test_all_allowed_connections_are_used_when_there_is_work() -> None:
    async with raw_relay() as relay, relays_to(f"smtp://127.0.0.1:{relay.port}?connections=4") as relays:
        relay.gate.clear()
        submitted = asyncio.create_task(submit_at_once(relays, 8))
        await relay.until_messages(4)
        relay.gate.set()

        assert all_accepted(await submitted)
    assert relay.most_open == 4


async def test_a_retired_connection_says_goodbye_before_the_next_is_opened() -> None:
    url = "smtp://127.0.0.1:{}?connections=1&mails_a_connection=2"
    async with raw_relay() as relay, relays_to(url.format(relay.port)) as relays:
        for _ in range(3):
            await relays.submit(new_mail())

    assert relay.commands[: relay.commands.index("EHLO", 1)][-1] == "QUIT"


async def test_a_relay_without_room_gets_fewer_connections_and_every_mail() -> None:
    async with (
        raw_relay(room=2) as relay,
        relays_to(f"smtp://127.0.0.1:{relay.port}?connections=8") as relays,
    ):
        with capture_logs() as logs:
            outcomes = await submit_at_once(relays, 40)

    assert all_accepted(outcomes)
    assert relay.most_open == 2
    assert 1 <= relay.refused <= 7  # those that were on their way when the first was refused
    assert [log["event"] for log in logs] == ["relay takes fewer connections than it is given"]


async def test_a_relay_without_any_room_rests_and_no_mail_is_blamed() -> None:
    async with raw_relay(room=0) as relay, relays_to(f"smtp://127.0.0.1:{relay.port}", pauses=Pauses(HOUR)) as relays:
        outcomes = await submit_at_once(relays, 20)

    assert all(isinstance(outcome, Unreachable) for outcome in outcomes)
    assert relay.refused == 1


def test_width_is_halved_and_grows_by_one_after_so_many_mails() -> None:
    width = Width("relay.test:25", 8, grow_after=3)

    seen = []
    for _ in range(4):
        width.halve(seen=width.halvings)
        seen.append(width.now)
    for _ in range(3 * 8):
        width.grow()
        seen.append(width.now)

    assert seen[:4] == [4, 2, 1, 1]
    assert seen[4:] == [1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8, 8]


def test_refusals_of_connections_that_were_tried_together_count_once() -> None:
    width = Width("relay.test:25", 8)
    seen = width.halvings

    for _ in range(7):
        width.halve(seen=seen)

    assert width.now == 4


async def test_a_relay_that_has_room_again_is_given_all_connections_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "FIRST_PAUSE", 0.0)
    async with raw_relay(room=1) as relay, relays_to(f"smtp://127.0.0.1:{relay.port}?connections=3") as relays:
        await submit_at_once(relays, 6)
        assert relay.most_open == 1
        relay.room = None
        with capture_logs() as logs:
            while relay.most_open < 3:
                assert all_accepted(await submit_at_once(relays, 20))

    assert [log["event"] for log in logs] == ["relay takes all connections again"]


async def test_where_credentials_are_refused_the_operator_is_told_once_and_no_mail_is_blamed() -> None:
    async with raw_relay({**OFFERS_AUTH, "AUTH": "535 5.7.8 Bad credentials"}) as relay:
        url = f"smtp://etaten:hemmelig@127.0.0.1:{relay.port}?starttls=never&auth=plain"
        async with relays_to(url) as relays:
            with capture_logs() as logs:
                refused = await submit_at_once(relays, 20)
                shown = relay.commands.count("AUTH")
                while relay.commands.count("AUTH") < 3:
                    await relays.wait_until_usable()
                    refused.append(await relays.submit(new_mail()))
                relay.replies["AUTH"] = "235 2.7.0 Welcome"
                await until_accepted(relays)

    assert all(isinstance(outcome, Unreachable) for outcome in refused)
    assert shown == 1  # however many mails: a refused account may be locked
    assert [(log["log_level"], log["event"], log.get("reason")) for log in logs] == [
        ("error", "relay needs an operator", "refuses our credentials: 535"),
        ("info", "relay is back", None),
    ]
    assert "hemmelig" not in str(logs)


async def until_accepted(relays: Relays) -> None:
    while True:
        await relays.wait_until_usable()
        if isinstance(await relays.submit(new_mail()), Accepted):
            return


async def test_where_the_operator_is_needed_the_next_relay_takes_the_mail() -> None:
    async with raw_relay() as one, raw_relay() as two:
        urls = [f"smtp://127.0.0.1:{one.port}?starttls=required", f"smtp://127.0.0.1:{two.port}"]
        async with relays_to(*urls) as relays:
            outcomes = await submit_at_once(relays, 5)

    assert all_accepted(outcomes)
    assert set(one.commands) <= {"EHLO", "QUIT"}


async def test_a_relay_that_needed_only_patience_and_then_an_operator_is_told_of_twice() -> None:
    async with (
        raw_relay({**OFFERS_AUTH, "": "554 5.3.2 No service"}) as relay,
        relays_to(f"smtp://etaten:x@127.0.0.1:{relay.port}?starttls=never") as relays,
    ):
        with capture_logs() as logs:
            await relays.submit(new_mail())
            relay.replies |= {"": "220 relay.test ESMTP", "AUTH": "535 5.7.8 Bad credentials"}
            while "AUTH" not in relay.commands:
                await relays.wait_until_usable()
                await relays.submit(new_mail())

    assert [log["event"] for log in logs] == ["relay is down", "relay needs an operator"]


async def held(relay: RawRelay, relays: Relays) -> asyncio.Task[Outcome]:
    """A mail that occupies a connection."""
    relay.gate.clear()
    task = asyncio.create_task(relays.submit(new_mail("first@sandbox.test")))
    await relay.until_messages(1)
    return task


async def test_cancelled_mails_in_line_leave_their_places_to_others() -> None:
    async with raw_relay() as relay, relays_to(f"smtp://127.0.0.1:{relay.port}?connections=1") as relays:
        first = await held(relay, relays)
        waiting = [asyncio.create_task(relays.submit(new_mail())) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting[:-1]:
            task.cancel()
        await asyncio.wait(waiting[:-1])
        relay.gate.set()

        assert isinstance(await first, Accepted)
        assert isinstance(await waiting[-1], Accepted)
    assert relay.most_open == 1


async def test_a_mail_that_is_cancelled_when_its_turn_has_come_passes_it_on() -> None:
    async with raw_relay() as relay, relays_to(f"smtp://127.0.0.1:{relay.port}?connections=1") as relays:
        first = await held(relay, relays)
        waiting = [asyncio.create_task(relays.submit(new_mail())) for _ in range(2)]
        await asyncio.sleep(0)
        # Runs right after the first mail has given its connection back, and so woken the next in line.
        first.add_done_callback(lambda _: waiting[0].cancel())
        relay.gate.set()

        await asyncio.wait(waiting)

        assert waiting[0].cancelled() or isinstance(waiting[0].result(), Accepted)
        assert isinstance(waiting[1].result(), Accepted)


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_mail_cancelled_anywhere_leaves_the_relay_usable(verb: str) -> None:
    async with (
        raw_relay({verb: None}) as relay,
        relays_to(f"smtp://127.0.0.1:{relay.port}?connections=1&mails_a_second=1000") as relays,
    ):
        cancelled = asyncio.create_task(relays.submit(new_mail()))
        await relay.until(lambda: relay.commands[-1:] == [verb])
        cancelled.cancel()
        await asyncio.wait({cancelled})
        relay.replies[verb] = {"EHLO": f"{EHLO}250 DSN", "DATA": "354 Go on"}.get(verb, "250 Ok")

        assert isinstance(await relays.submit(new_mail()), Accepted)
        await relay.until(lambda: relay.open == 1)


async def test_a_relay_that_hangs_on_every_connection_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "STALL", 0.02)
    async with raw_relay() as one, raw_relay() as two:
        urls = [f"smtp://127.0.0.1:{one.port}?connections=1", f"smtp://127.0.0.1:{two.port}"]
        async with relays_to(*urls, pauses=Pauses(HOUR, HOUR, HOUR)) as relays:
            first = await held(one, relays)

            outcome = await relays.submit(new_mail())

            one.gate.set()
            assert isinstance(await first, Accepted)
    assert outcome.relay == f"127.0.0.1:{two.port}"


async def test_a_mail_whose_turn_does_not_come_in_time_takes_no_relay_down() -> None:
    async with raw_relay() as relay:
        transport = SmtpTransport(Relay.from_url(f"smtp://127.0.0.1:{relay.port}?mails_a_second=0.1"), notify=())
        now = asyncio.get_running_loop().time
        first = await transport.submit(new_mail(), by=now() + LIMIT)

        second = await transport.submit(new_mail(), by=now() + 0.02)

        await transport.close()
    assert isinstance(first, Accepted)
    assert isinstance(second, NotReached)
    assert second.trouble is Trouble.SLOW
    assert relay.messages == 1
