"""Relays that cannot be trusted, or that make no sense: nothing in clear, nobody waited for, nothing left open."""

import asyncio

import pytest

from tests.transports.raw_relay import EHLO, new_mail, raw_relay, transport_to
from varsel.mail_server import StartTls
from varsel.transports import connect, smtp
from varsel.transports.transport import Accepted, InDoubt, Rejected, Unreachable

CREDENTIALS = ("etaten", "hemmelig")
OFFERS_AUTH = {"EHLO": f"{EHLO}250 AUTH PLAIN LOGIN"}
OFFERS_STARTTLS = {"EHLO": f"{EHLO}250-AUTH PLAIN\r\n250 STARTTLS"}


async def test_credentials_are_shown_before_the_first_mail() -> None:
    async with raw_relay(OFFERS_AUTH) as relay, transport_to(relay.port, credentials=CREDENTIALS) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted)
    assert relay.commands[:4] == ["EHLO", "AUTH", "MAIL", "RCPT"]


@pytest.mark.parametrize("reply", ["535 5.7.8 Authentication credentials invalid", "454 4.7.0 Temporary failure"])
async def test_where_our_credentials_are_refused_every_mail_waits(reply: str) -> None:
    script = {**OFFERS_AUTH, "AUTH": reply}
    async with raw_relay(script) as relay, transport_to(relay.port, credentials=CREDENTIALS) as transport:
        outcome = await transport.submit(new_mail())

        await relay.until_closed()
    assert isinstance(outcome, Unreachable)
    assert outcome.reply == reply
    assert "MAIL" not in relay.commands


async def test_where_credentials_cannot_be_shown_every_mail_waits() -> None:
    async with raw_relay() as relay, transport_to(relay.port, credentials=CREDENTIALS) as transport:
        outcome = await transport.submit(new_mail())

        await relay.until_closed()
    assert isinstance(outcome, Unreachable)
    assert "MAIL" not in relay.commands


@pytest.mark.parametrize("credentials", [None, CREDENTIALS])
async def test_where_tls_is_required_and_not_offered_nothing_is_said_in_clear(
    credentials: tuple[str, str] | None,
) -> None:
    async with (
        raw_relay(OFFERS_AUTH) as relay,
        transport_to(relay.port, credentials=credentials, starttls="required") as transport,
    ):
        outcome = await transport.submit(new_mail())

        await relay.until_closed()
    assert isinstance(outcome, Unreachable)
    assert set(relay.commands) <= {"EHLO", "QUIT"}


@pytest.mark.parametrize("starttls", ["required", "optional"])
@pytest.mark.parametrize(
    "reply", ["220 Go ahead\r\n500 This is no TLS", "454 4.7.0 TLS not available", "501 5.5.4 What"]
)
async def test_where_tls_fails_nothing_is_said_in_clear(starttls: StartTls, reply: str) -> None:
    script = {**OFFERS_STARTTLS, "STARTTLS": reply}
    async with (
        raw_relay(script) as relay,
        transport_to(relay.port, credentials=CREDENTIALS, starttls=starttls) as transport,
    ):
        outcome = await transport.submit(new_mail())

        await relay.until_closed()
    assert isinstance(outcome, Unreachable)
    assert not {"AUTH", "MAIL", "RCPT", "DATA"} & set(relay.commands)


async def test_where_tls_is_optional_and_not_offered_the_mail_is_sent() -> None:
    async with raw_relay() as relay, transport_to(relay.port, starttls="optional") as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted)


async def test_a_plus_in_an_address_is_xtext_on_the_wire() -> None:
    async with raw_relay() as relay, transport_to(relay.port) as transport:
        await transport.submit(new_mail("kari+tag=1@sandbox.test", envelope_id="n+1"))

    [sender, recipient] = [line for line in relay.lines if line.startswith((b"MAIL", b"RCPT"))]
    assert sender == b"MAIL FROM:<b+1@bounce.test> RET=HDRS ENVID=n+2B1\r\n"
    assert recipient.startswith(b"RCPT TO:<kari+tag=1@sandbox.test> NOTIFY=DELAY,FAILURE,SUCCESS ")
    assert recipient.endswith(b" ORCPT=rfc822;kari+2Btag+3D1@sandbox.test\r\n")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_words_that_are_no_utf8_come_through_as_text(verb: str) -> None:
    reply = "550 5.1.1 brukeren p\xe5 \xf8ya er ukjent\r\n".encode("latin-1")
    async with raw_relay({verb: reply}) as relay, transport_to(relay.port) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Rejected)
    assert outcome.reply.startswith("550 5.1.1 brukeren p")
    assert outcome.reply.encode("utf-8")


@pytest.mark.parametrize("verb", ["", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("reply", ["HTTP/1.1 400 Bad Request", "299 what", "", "250"])
async def test_a_reply_that_makes_no_sense_never_breaks_us(verb: str, reply: str) -> None:
    async with raw_relay({verb: reply}) as relay, transport_to(relay.port) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted | Unreachable | InDoubt)


async def test_a_reply_that_makes_no_sense_after_the_dot_leaves_the_mail_in_doubt() -> None:
    async with raw_relay({".": "Takk skal du ha"}) as relay, transport_to(relay.port) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, InDoubt)


async def test_a_strange_2yz_to_the_dot_is_no_reason_to_think_that_the_mail_was_not_taken() -> None:
    # RFC 5321 section 4.2.1: the first digit says whether; a client must not need the others.
    async with raw_relay({".": "252 Taken, though not sure yet"}) as relay, transport_to(relay.port) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted | InDoubt)


@pytest.mark.parametrize("reply", ["250 2.0.0 Ok", "251 Ok", "220 Hello again"])
async def test_a_2yz_before_the_message_was_sent_is_no_yes(reply: str) -> None:
    async with raw_relay({"DATA": reply}) as relay, transport_to(relay.port) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Unreachable | InDoubt)


@pytest.mark.parametrize(
    "reply", ["530 5.7.0 Authentication required", "530 5.7.0 Must issue a STARTTLS command first"]
)
async def test_a_relay_that_wants_to_know_us_first_refuses_us_and_not_the_mail(reply: str) -> None:
    # RFC 4954 section 6 and RFC 3207 section 4: what is wrong are our settings, so every mail waits.
    async with raw_relay({"MAIL": reply}) as relay, transport_to(relay.port) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Unreachable)


@pytest.mark.parametrize("reply", ["554 5.7.1 Go away", "421 4.3.2 Later", "502 5.5.2 What"])
async def test_a_relay_that_refuses_to_be_greeted_is_left_without_a_trace(reply: str) -> None:
    async with raw_relay({"EHLO": reply, "HELO": reply}) as relay, transport_to(relay.port) as transport:
        outcome = await transport.submit(new_mail())

        await relay.until_closed()
    assert isinstance(outcome, Unreachable)
    assert "MAIL" not in relay.commands


@pytest.mark.parametrize("verb", ["", "EHLO"])
async def test_a_relay_that_says_nothing_at_first_is_soon_given_up(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT", 0.05)
    async with raw_relay({verb: None}) as relay, transport_to(relay.port) as transport:
        outcome = await asyncio.wait_for(transport.submit(new_mail()), 1.0)

    assert isinstance(outcome, Unreachable)


@pytest.mark.parametrize(("verb", "kind"), [("MAIL", Unreachable), ("RCPT", Unreachable), (".", InDoubt)])
async def test_a_relay_that_says_nothing_more_is_given_up_in_the_end(
    verb: str, kind: type[Unreachable | InDoubt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "COMMAND_TIMEOUT", 0.05)
    monkeypatch.setattr(smtp, "DATA_TIMEOUT", 0.05)
    async with raw_relay({verb: None}) as relay, transport_to(relay.port) as transport:
        outcome = await asyncio.wait_for(transport.submit(new_mail()), 1.0)

        await relay.until_closed()
    assert isinstance(outcome, kind)
