"""TLS and credentials: nothing in clear, nobody trusted who cannot prove it, and every way to say who we are."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.transports.certificates import Authority
from tests.transports.raw_relay import EHLO, LIMIT, RawRelay, new_mail, raw_relay
from varsel.mail_server import is_loopback
from varsel.relay import Relay
from varsel.transports.smtp import SmtpTransport
from varsel.transports.transport import Accepted, Unreachable
from varsel.transports.trouble import NotReached, Trouble

OFFERS_TLS = {"EHLO": f"{EHLO}250-AUTH PLAIN LOGIN XOAUTH2\r\n250 STARTTLS", "STARTTLS": "220 2.0.0 Ready"}
OFFERS_AUTH = {"EHLO": f"{EHLO}250 AUTH PLAIN LOGIN XOAUTH2"}
HARMLESS = {b"EHLO", b"STARTTLS", b"QUIT", b""}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.file)


@asynccontextmanager
async def transport_by(url: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[SmtpTransport]:
    transport = SmtpTransport(Relay.from_url(url), notify=(), tls=tls)
    try:
        async with asyncio.timeout(LIMIT):
            yield transport
    finally:
        await transport.close()


def said_in_clear(relay: RawRelay) -> set[bytes]:
    return {line.split(b" ")[0].strip().upper() for line in relay.in_clear}


def shown(relay: RawRelay) -> list[bytes]:
    """What it was told of credentials, decoded."""
    lines = iter(relay.lines)
    words = []
    for line in lines:
        if line.startswith(b"AUTH "):
            words.append(base64.b64decode(line.split(b" ")[2]))
            if b"LOGIN" in line:
                words.append(base64.b64decode(next(lines)))
    return words


@pytest.mark.parametrize("starttls", ["required", "optional"])
async def test_mail_and_credentials_go_over_starttls(
    starttls: str, authority: Authority, trusting: ssl.SSLContext
) -> None:
    async with (
        raw_relay(OFFERS_TLS, tls=authority.server()) as relay,
        transport_by(f"smtp://etaten:hemmelig@127.0.0.1:{relay.port}?starttls={starttls}", trusting) as transport,
    ):
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted)
    assert said_in_clear(relay) <= HARMLESS
    assert relay.commands.count("EHLO") == 2  # RFC 3207 section 4.2


async def test_mail_and_credentials_go_over_smtps(authority: Authority, trusting: ssl.SSLContext) -> None:
    async with (
        raw_relay(OFFERS_AUTH, smtps=authority.server()) as relay,
        transport_by(f"smtps://etaten:hemmelig@127.0.0.1:{relay.port}", trusting) as transport,
    ):
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted)
    assert relay.in_clear == []
    assert shown(relay) == [b"\0etaten\0hemmelig"]


@pytest.mark.parametrize("starttls", ["required", "optional"])
@pytest.mark.parametrize("name", ["127.0.0.2", "relay.test"])
async def test_a_certificate_of_another_name_is_refused(
    starttls: str, name: str, authority: Authority, trusting: ssl.SSLContext
) -> None:
    async with (
        raw_relay(OFFERS_TLS, tls=authority.server(name)) as relay,
        transport_by(f"smtp://etaten:hemmelig@127.0.0.1:{relay.port}?starttls={starttls}", trusting) as transport,
    ):
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, NotReached)
    assert outcome.trouble is Trouble.NEEDS_OPERATOR
    assert said_in_clear(relay) <= HARMLESS
    assert relay.messages == 0


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_of_an_unknown_authority_is_refused(scheme: str, authority: Authority) -> None:
    smtps = authority.server() if scheme == "smtps" else None
    async with (
        raw_relay(OFFERS_TLS, tls=authority.server(), smtps=smtps) as relay,
        transport_by(f"{scheme}://etaten:hemmelig@127.0.0.1:{relay.port}") as transport,
    ):
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, NotReached)
    assert outcome.trouble is Trouble.NEEDS_OPERATOR
    assert shown(relay) == []


async def test_where_starttls_is_stripped_nothing_is_sent(trusting: ssl.SSLContext) -> None:
    async with (
        raw_relay(OFFERS_AUTH) as relay,
        transport_by(f"smtp://etaten:hemmelig@127.0.0.1:{relay.port}?starttls=required", trusting) as transport,
    ):
        outcome = await transport.submit(new_mail())

        await relay.until_closed()
    assert isinstance(outcome, NotReached)
    assert outcome.trouble is Trouble.NEEDS_OPERATOR
    assert said_in_clear(relay) <= HARMLESS


async def test_credentials_are_not_sent_in_clear_to_another_machine() -> None:
    # 0.0.0.0 leads here too, but is no number of this machine: as good as another one.
    async with (
        raw_relay(OFFERS_AUTH) as relay,
        transport_by(f"smtp://etaten:hemmelig@0.0.0.0:{relay.port}?starttls=optional") as transport,
    ):
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Unreachable)
    assert said_in_clear(relay) <= HARMLESS


@pytest.mark.parametrize("starttls", ["never", "optional"])
async def test_credentials_may_be_sent_in_clear_on_this_machine(starttls: str) -> None:
    async with (
        raw_relay(OFFERS_AUTH) as relay,
        transport_by(f"smtp://etaten:hemmelig@127.0.0.1:{relay.port}?starttls={starttls}") as transport,
    ):
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted)
    assert shown(relay) == [b"\0etaten\0hemmelig"]


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        *(("localhost", True), ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True)),
        *(("127.0.0.1.test", False), ("relay.test", False), ("10.0.0.1", False), ("::2", False)),
    ],
)
def test_this_machine_is_known_by_its_names_and_numbers(host: str, is_ours: bool) -> None:
    assert is_loopback(host) == is_ours


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ("plain", [b"\0etaten\0a,b:c"]),
        ("login", [b"etaten", b"a,b:c"]),
        ("xoauth2", [b"user=etaten\x01auth=Bearer a,b:c\x01\x01"]),
    ],
)
async def test_the_way_to_log_in_can_be_chosen(auth: str, words: list[bytes]) -> None:
    script = {**OFFERS_AUTH, "AUTH": "334 UGFzc3dvcmQ6" if auth == "login" else "235 2.7.0 Welcome"}
    url = "smtp://etaten:a,b%3Ac@127.0.0.1:{}?starttls=never&auth={}"
    async with raw_relay(script) as relay, transport_by(url.format(relay.port, auth)) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Accepted)
    assert shown(relay) == words
    assert [line.split(b" ")[1] for line in relay.lines if line.startswith(b"AUTH")] == [auth.upper().encode()]


@pytest.mark.parametrize("auth", ["plain", "login", "xoauth2"])
async def test_credentials_are_not_shown_in_a_way_that_the_relay_does_not_offer(auth: str) -> None:
    url = "smtp://etaten:hemmelig@127.0.0.1:{}?starttls=never&auth={}"
    async with (
        raw_relay({"EHLO": f"{EHLO}250 AUTH CRAM-MD5"}) as relay,
        transport_by(url.format(relay.port, auth)) as transport,
    ):
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, NotReached)
    assert outcome.trouble is Trouble.NEEDS_OPERATOR
    assert shown(relay) == []


async def test_a_refreshed_token_is_shown_on_the_next_connection(tmp_path: Path) -> None:
    token = tmp_path / "token"
    url = "smtp://etaten@127.0.0.1:{}?starttls=never&auth=xoauth2&mails_a_connection=1&token_file={}"
    async with raw_relay(OFFERS_AUTH) as relay, transport_by(url.format(relay.port, token)) as transport:
        for text in ("first\n", "second"):
            token.write_text(text)
            assert isinstance(await transport.submit(new_mail()), Accepted)

    assert shown(relay) == [b"user=etaten\x01auth=Bearer first\x01\x01", b"user=etaten\x01auth=Bearer second\x01\x01"]


@pytest.mark.parametrize("text", [None, "", "\n", "blåbær"])
async def test_without_a_token_nobody_is_asked(tmp_path: Path, text: str | None) -> None:
    token = tmp_path / "token"
    if text is not None:
        token.write_text(text)
    url = "smtp://etaten@127.0.0.1:{}?starttls=never&auth=xoauth2&token_file={}"
    async with raw_relay(OFFERS_AUTH) as relay, transport_by(url.format(relay.port, token)) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, NotReached)
    assert outcome.trouble is Trouble.NEEDS_OPERATOR
    assert shown(relay) == []


async def test_a_refused_token_is_told_by_the_relays_last_word() -> None:
    # The first answer to a bad token is a challenge with JSON; only the reply to it says no.
    script = {**OFFERS_AUTH, "AUTH": "334 eyJzdGF0dXMiOiI0MDAifQ==", "334": "535 5.7.8 Token expired"}
    url = "smtp://etaten:token@127.0.0.1:{}?starttls=never&auth=xoauth2"
    async with raw_relay(script) as relay, transport_by(url.format(relay.port)) as transport:
        outcome = await transport.submit(new_mail())

    assert isinstance(outcome, Unreachable)
    assert outcome.reply == "535 5.7.8 Token expired"
