"""Connections to the relay: few, kept, cleared after a refusal, and opened again where they were lost."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.transports.raw_relay import new_mail, raw_relay, transport_to
from varsel.sandbox.handler import DROP, Answer, Envelope, Handler, Recipient, Reply
from varsel.sandbox.smtp_server import SmtpServer
from varsel.transports import connections as connections_module
from varsel.transports.transport import Accepted, Deferred, InDoubt, Rejected, Unreachable


class InTurn(Handler):
    """Gives each step's answers in turn, then takes everything; its gate holds every final dot."""

    def __init__(self, **answers: Sequence[Answer]) -> None:
        self._answers = {step: list(given) for step, given in answers.items()}
        self.connections = 0
        self.taken: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_the_dot = asyncio.Semaphore(0)

    def _next(self, step: str) -> Answer:
        return self._answers[step].pop(0) if self._answers.get(step) else None

    async def on_connect(self) -> Answer:
        self.connections += 1
        return self._next("connect")

    async def on_mail(self, envelope: Envelope) -> Answer:
        return self._next("mail")

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        return self._next("recipient")

    async def on_data(self, envelope: Envelope) -> Answer:
        return self._next("data")

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.at_the_dot.release()
        await self.gate.wait()
        answer = self._next("message")
        if answer is None:
            self.taken.append(envelope.recipients[0].address)
        return answer


def mails(count: int) -> list[str]:
    return [f"kari+{number}@sandbox.test" for number in range(count)]


async def test_mail_after_mail_goes_over_one_connection() -> None:
    handler = InTurn()
    async with SmtpServer(handler) as server, transport_to(server.port) as transport:
        outcomes = [await transport.submit(new_mail(address)) for address in mails(3)]

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert handler.taken == mails(3)
    assert handler.connections == 1


async def test_there_are_never_more_connections_than_allowed() -> None:
    handler = InTurn()
    handler.gate.clear()
    async with SmtpServer(handler) as server, transport_to(server.port, connections=2) as transport:
        submitted = [asyncio.create_task(transport.submit(new_mail(address))) for address in mails(6)]
        for _ in range(2):
            await handler.at_the_dot.acquire()
        handler.gate.set()
        await asyncio.gather(*submitted)

    assert sorted(handler.taken) == mails(6)
    assert handler.connections == 2


@pytest.mark.parametrize("step", ["mail", "recipient", "data", "message"])
@pytest.mark.parametrize("reply", [Reply(550, "5.1.1 Never"), Reply(451, "4.3.0 Later")], ids=str)
async def test_a_refusal_is_cleared_away_for_the_next_mail(step: str, reply: Reply) -> None:
    handler = InTurn(**{step: [reply]})
    async with SmtpServer(handler) as server, transport_to(server.port) as transport:
        first = await transport.submit(new_mail())
        second = await transport.submit(new_mail())

    assert isinstance(first, Rejected | Deferred)
    assert isinstance(second, Accepted)
    assert handler.connections == 1


@pytest.mark.parametrize("step", ["mail", "recipient", "data", "message"])
@pytest.mark.parametrize("answer", [DROP, Reply(421, "4.3.2 Shutting down")], ids=str)
async def test_after_a_lost_connection_the_next_mail_has_one_of_its_own(step: str, answer: Answer) -> None:
    handler = InTurn(**{step: [answer]})
    async with SmtpServer(handler) as server, transport_to(server.port) as transport:
        first = await transport.submit(new_mail())
        second = await transport.submit(new_mail())

    assert isinstance(first, Unreachable | Deferred | InDoubt)
    assert isinstance(second, Accepted)
    assert handler.connections == 2


async def test_a_relay_that_was_restarted_gets_each_mail_once() -> None:
    handler = InTurn()
    server = SmtpServer(handler)
    async with server, transport_to(server.port) as transport:
        await transport.submit(new_mail("kari@sandbox.test"))
        await server.stop()
        await server.start()

        outcome = await transport.submit(new_mail("ola@sandbox.test"))

    assert isinstance(outcome, Accepted)
    assert handler.taken == ["kari@sandbox.test", "ola@sandbox.test"]


@pytest.mark.parametrize("step", ["mail", "recipient", "data"])
@pytest.mark.parametrize("answer", [DROP, Reply(421, "4.4.2 Idle for too long")], ids=str)
async def test_an_idle_connection_that_turns_out_closed_loses_no_mail_and_doubles_none(
    step: str, answer: Answer
) -> None:
    handler = InTurn(**{step: [None, answer]})
    async with SmtpServer(handler) as server, transport_to(server.port) as transport:
        await transport.submit(new_mail("kari@sandbox.test"))

        outcome = await transport.submit(new_mail("ola@sandbox.test"))

    assert isinstance(outcome, Accepted)
    assert handler.taken == ["kari@sandbox.test", "ola@sandbox.test"]
    assert handler.connections == 2


async def test_a_mail_that_may_have_been_taken_is_not_sent_again_at_once() -> None:
    handler = InTurn(message=[None, DROP])
    async with SmtpServer(handler) as server, transport_to(server.port) as transport:
        await transport.submit(new_mail("kari@sandbox.test"))

        outcome = await transport.submit(new_mail("ola@sandbox.test"))

    assert isinstance(outcome, InDoubt)
    assert handler.taken == ["kari@sandbox.test"]
    assert handler.connections == 1


async def test_a_relay_that_drops_every_connection_is_tried_twice_and_no_more() -> None:
    handler = InTurn(mail=[None, *[DROP] * 10])
    async with SmtpServer(handler) as server, transport_to(server.port) as transport:
        await transport.submit(new_mail())

        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Unreachable)
    assert handler.connections == 2


async def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "IDLE_LIMIT", 0.0)
    handler = InTurn()
    async with SmtpServer(handler) as server, transport_to(server.port) as transport:
        for _ in range(2):
            await transport.submit(new_mail())

    assert handler.connections == 2


async def test_a_connection_is_used_for_so_many_mails_only() -> None:
    handler = InTurn()
    async with SmtpServer(handler) as server, transport_to(server.port, mails_a_connection=2) as transport:
        for _ in range(4):
            await transport.submit(new_mail())

    assert handler.connections == 2
    assert len(handler.taken) == 4


async def test_a_cancelled_mail_costs_its_connection_and_nothing_else() -> None:
    handler = InTurn()
    handler.gate.clear()
    async with SmtpServer(handler) as server, transport_to(server.port, connections=1) as transport:
        cancelled = asyncio.create_task(transport.submit(new_mail()))
        await handler.at_the_dot.acquire()
        cancelled.cancel()
        await asyncio.wait({cancelled})
        handler.gate.set()

        outcome = await transport.submit(new_mail("ola@sandbox.test"))

    assert cancelled.cancelled()
    assert isinstance(outcome, Accepted)
    assert handler.connections == 2


async def test_closing_says_goodbye() -> None:
    async with raw_relay() as relay, transport_to(relay.port) as transport:
        await transport.submit(new_mail())

        await transport.close()

        await relay.until_closed()
    assert relay.commands[-1] == "QUIT"
    assert relay.connections == 1


async def test_closing_does_not_wait_for_a_relay_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "GOODBYE_TIMEOUT", 0.01)
    async with raw_relay({"QUIT": None}) as relay, transport_to(relay.port) as transport:
        await transport.submit(new_mail())

        await transport.close()

        await relay.until_closed()
