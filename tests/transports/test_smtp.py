"""What each reply of a relay becomes, at each stage of a transaction, and what is asked of it."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.transports.raw_relay import new_mail, transport_to
from varsel.mail_server import MailServer
from varsel.relay import Relay
from varsel.sandbox.handler import DROP, Answer, Envelope, Handler, Recipient, Reply
from varsel.sandbox.smtp_server import EXTENSIONS, SmtpServer
from varsel.transports.smtp import Notify, SmtpTransport
from varsel.transports.transport import Accepted, Deferred, InDoubt, Mail, Outcome, Rejected, Unreachable
from varsel.transports.trouble import NotReached, Trouble

LATER, NEVER = Reply(451, "4.3.0 Later"), Reply(550, "5.7.1 Never")
CLOSING = Reply(421, "4.3.2 Shutting down")
KARI = "kari@sandbox.test"


class Scripted(Handler):
    """Gives one answer, at the step that is named, and counts what it saw."""

    def __init__(self, step: str = "", answer: Answer = None) -> None:
        self._answers = {step: answer}
        self.senders = 0
        self.taken: list[tuple[Envelope, bytes]] = []

    async def on_connect(self) -> Answer:
        return self._answers.get("connect")

    async def on_mail(self, envelope: Envelope) -> Answer:
        self.senders += 1
        return self._answers.get("mail")

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        return self._answers.get("recipient")

    async def on_data(self, envelope: Envelope) -> Answer:
        return self._answers.get("data")

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.taken.append((envelope, content))
        return self._answers.get("message")


async def submit(handler: Handler, mail: Mail | None = None, extensions: tuple[str, ...] = EXTENSIONS) -> Outcome:
    async with SmtpServer(handler, extensions=extensions) as server, transport_to(server.port) as transport:
        return await transport.submit(mail or new_mail())


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def test_what_the_relay_takes_is_accepted_in_its_words() -> None:
    handler = Scripted("message", Reply(250, "2.0.0 Ok: queued as 4F0A"))

    outcome = await submit(handler)

    assert isinstance(outcome, Accepted)
    assert outcome.reply == "250 2.0.0 Ok: queued as 4F0A"
    [(envelope, content)] = handler.taken
    assert (envelope.sender, [recipient.address for recipient in envelope.recipients]) == ("b+1@bounce.test", [KARI])
    assert content == new_mail().message


@pytest.mark.parametrize("step", ["mail", "recipient", "data", "message"])
@pytest.mark.parametrize("reply", [LATER, Reply(450, "4.2.1 Mailbox busy\nTry again")], ids=str)
async def test_a_4yz_to_a_mail_is_for_later(step: str, reply: Reply) -> None:
    outcome = await submit(Scripted(step, reply))

    assert isinstance(outcome, Deferred)
    assert outcome.reply == f"{reply.code} {reply.text}"


@pytest.mark.parametrize("reply", [LATER, CLOSING, Reply(554, "5.3.2 No service")], ids=str)
async def test_a_refusal_in_greeting_is_not_about_the_mail(reply: Reply) -> None:
    outcome = await submit(Scripted("connect", reply))

    assert isinstance(outcome, Unreachable)
    assert outcome.reply == f"{reply.code} {reply.text}"


@pytest.mark.parametrize("step", ["mail", "recipient", "data"])
async def test_a_relay_that_closes_before_the_message_does_not_blame_the_mail(step: str) -> None:
    outcome = await submit(Scripted(step, CLOSING))

    assert isinstance(outcome, Unreachable)
    assert outcome.reply.endswith("421 4.3.2 Shutting down")


async def test_a_relay_that_closes_instead_of_taking_the_message_has_not_taken_it() -> None:
    assert isinstance(await submit(Scripted("message", CLOSING)), Deferred)


@pytest.mark.parametrize("step", ["mail", "recipient", "data", "message"])
@pytest.mark.parametrize("reply", [NEVER, Reply(554, "5.0.0 No\n5.0.0 Really not"), Reply(503, "5.5.1 Order")], ids=str)
async def test_a_5yz_to_a_mail_is_final(step: str, reply: Reply) -> None:
    outcome = await submit(Scripted(step, reply))

    assert isinstance(outcome, Rejected)
    assert outcome.reply == f"{reply.code} {reply.text}"


@pytest.mark.parametrize("answer", [None, LATER, NEVER, DROP, CLOSING], ids=str)
async def test_every_outcome_names_its_relay(answer: Answer) -> None:
    async with SmtpServer(Scripted("message", answer)) as server, transport_to(server.port) as transport:
        outcome = await transport.submit(new_mail())

    assert outcome.relay == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("reports_successes", [True, False])
async def test_a_relay_that_reports_successes_is_known_from_its_outcomes(reports_successes: bool) -> None:
    async with SmtpServer(Scripted()) as server:
        relay = Relay(MailServer("smtp", "127.0.0.1", server.port), reports_successes=reports_successes)
        transport = SmtpTransport(relay, notify=())
        outcome = await transport.submit(new_mail())
        await transport.close()

    assert isinstance(outcome, Accepted)
    assert outcome.reports_successes == reports_successes


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        *(("connect", Unreachable), ("mail", Unreachable), ("recipient", Unreachable), ("data", Unreachable)),
        ("message", InDoubt),
    ],
)
async def test_a_lost_connection_leaves_the_mail_in_doubt_only_once_it_was_sent(step: str, kind: type[Outcome]) -> None:
    assert isinstance(await submit(Scripted(step, DROP)), kind)


async def test_where_nobody_listens_the_relay_is_unreachable(free_port: int) -> None:
    async with transport_to(free_port) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, NotReached)
    assert outcome.trouble is Trouble.DOWN
    assert outcome.reply.startswith("SMTPConnectError")


@pytest.mark.parametrize("host", ["relay.invalid", "relay..test", f"{'x' * 70}.test"])
async def test_where_there_is_no_such_host_the_relay_is_unreachable(host: str) -> None:
    transport = SmtpTransport(Relay(MailServer("smtp", host, 25)), notify=())

    outcome = await asyncio.wait_for(transport.submit(new_mail()), 10)

    assert isinstance(outcome, Unreachable)


async def test_reports_are_asked_for_where_the_relay_offers_them() -> None:
    handler = Scripted()

    await submit(handler, new_mail("kari+tag=1@sandbox.test", envelope_id="n+1=2"))

    [(envelope, _)] = handler.taken
    assert (envelope.envid, envelope.ret) == ("n+1=2", "HDRS")
    [recipient] = envelope.recipients
    assert recipient.orcpt == "rfc822;kari+tag=1@sandbox.test"  # as decoded; undecoded it would be refused
    assert recipient.notify == {"SUCCESS", "FAILURE", "DELAY"}


async def test_reports_are_not_asked_for_where_the_relay_offers_none() -> None:
    handler = Scripted()

    outcome = await submit(handler, extensions=("PIPELINING", "8BITMIME"))

    assert isinstance(outcome, Accepted)
    [(envelope, _)] = handler.taken
    assert envelope == Envelope("b+1@bounce.test", (Recipient(KARI),))


@pytest.mark.parametrize(
    ("notify", "asked"),
    [((), {"NEVER"}), (("failure",), {"FAILURE"}), (("delay", "failure"), {"FAILURE", "DELAY"})],
)
async def test_only_the_reports_of_the_settings_are_asked_for(notify: tuple[Notify, ...], asked: set[str]) -> None:
    handler = Scripted()
    async with SmtpServer(handler) as server:
        transport = SmtpTransport(Relay(MailServer("smtp", "127.0.0.1", server.port)), notify=notify)
        await transport.submit(new_mail())
        await transport.close()

    [(envelope, _)] = handler.taken
    assert envelope.recipients[0].notify == asked


@pytest.mark.parametrize("address", [KARI, "kari@xn--blbr-roah.test"])
async def test_an_ascii_address_needs_no_smtputf8(address: str) -> None:
    handler = Scripted()

    outcome = await submit(handler, new_mail(address), ("8BITMIME", "DSN"))

    assert isinstance(outcome, Accepted)
    assert not handler.taken[0][0].smtputf8


async def test_a_non_ascii_local_part_is_mailed_with_smtputf8() -> None:
    handler = Scripted()

    outcome = await submit(handler, new_mail("ærlig@sandbox.test"))

    assert isinstance(outcome, Accepted)
    [(envelope, _)] = handler.taken
    assert envelope.smtputf8
    assert envelope.recipients[0].address == "ærlig@sandbox.test"


async def test_a_non_ascii_local_part_is_refused_where_the_relay_cannot_take_it() -> None:
    handler = Scripted()

    outcome = await submit(handler, new_mail("ærlig@sandbox.test"), ("8BITMIME", "DSN"))

    assert isinstance(outcome, Rejected)
    assert outcome.reply.startswith("550 5.6.7 ")
    assert handler.senders == 0


async def test_headers_in_utf8_need_smtputf8_too() -> None:
    # RFC 6531 section 3.4: so does a From whose local part is not ASCII, whoever the mail is for.
    mail = replace(new_mail(), message="From: ærlig@etat.test\r\nSubject: Hei\r\n\r\nHei!\r\n".encode())
    offering, lacking = Scripted(), Scripted()

    taken = await submit(offering, mail)
    refused = await submit(lacking, mail, ("8BITMIME", "DSN"))

    assert isinstance(taken, Accepted)
    assert offering.taken[0][0].smtputf8
    assert isinstance(refused, Rejected)
    assert lacking.taken == []


@pytest.mark.parametrize("local_part", [f"kari{sign}n" for sign in "!#$%&'*+/=?^_`{|}~-."] + ["'kari'", "123", "KARI"])
async def test_the_relay_is_told_the_address_as_it_is(local_part: str) -> None:
    handler = Scripted()

    await submit(handler, new_mail(f"{local_part}@Sandbox.TEST"))

    [(envelope, _)] = handler.taken
    assert envelope.recipients[0].address == f"{local_part}@Sandbox.TEST"


@pytest.mark.parametrize("content", [b".\r\n", b"..\r\n.x\r\n", b"\r\n.\r\n\r\n", "blåbær\r\n".encode(), b""])
async def test_the_message_arrives_to_the_byte(content: bytes) -> None:
    handler = Scripted()
    message = b"Subject: Hei\r\n\r\n" + content

    await submit(handler, Mail("b+1@bounce.test", KARI, "n-1", message))

    assert [taken for _, taken in handler.taken] == [message]
