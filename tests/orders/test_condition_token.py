"""The token that a condition is asked with: over TLS, to the host that was named, and to nobody else."""

import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import jwt
import pytest

from tests.outgoing.conditions import MET, SCOPE, send_conditions
from tests.outgoing.web_server import WebServer, http_answer, redirect, say_nothing, web_server
from tests.transports.certificates import Authority
from varsel.auth.development_issuer import DevelopmentIssuer, OwnTestTokens
from varsel.orders.send_condition import Condition
from varsel.outgoing.access_tokens import AccessTokens, OwnClient
from varsel.outgoing.answer import NoAnswer
from varsel.outgoing.clients import trusted_client
from varsel.outgoing.credentials import Tokens

HOST = "condition.test"
SHORT = timedelta(seconds=0.2)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def authorities(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.file)


@pytest.fixture
def tokens(issuer: DevelopmentIssuer) -> Tokens:
    """Our own client's, as development mode has them."""
    return OwnTestTokens(issuer)


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[WebServer]:
    """A server that proves to be `localhost`."""
    async with web_server(authority.server("localhost")) as server:
        server.otherwise = http_answer(body=MET)
        yield server


def local(server: WebServer, target: str = "/") -> str:
    """The address of a server by its name."""
    return f"{server.scheme}://localhost:{server.port}{target}"


def has_token(server: WebServer) -> list[bool]:
    return ["authorization" in asked.headers for asked in server.asked]


async def test_over_tls_the_host_that_was_named_is_told_our_token(
    secure: WebServer, authorities: ssl.SSLContext, tokens: Tokens, issuer: DevelopmentIssuer
) -> None:
    async with send_conditions(private=True, tokens=tokens, authorities=authorities) as conditions:
        await conditions.ask(local(secure, "/check?a=b"))

    [asked] = secure.asked
    kind, _, token = asked.headers["authorization"].partition(" ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (kind, claims["iss"], claims["scope"]) == ("Bearer", issuer.issuer, SCOPE)
    assert (asked.target, asked.headers["host"]) == ("/check?a=b", f"localhost:{secure.port}")
    assert secure.server_names == ["localhost"]


async def test_without_a_token_of_our_own_none_is_shown(secure: WebServer, authorities: ssl.SSLContext) -> None:
    async with send_conditions(private=True, authorities=authorities) as conditions:
        await conditions.ask(local(secure))

    assert has_token(secure) == [False]


async def test_a_token_is_never_sent_in_clear(server: WebServer, tokens: Tokens) -> None:
    server.answers["/"] = http_answer(body=MET)

    async with send_conditions(hosts={HOST: server.url}, private=True, tokens=tokens) as conditions:
        for endpoint in (local(server), f"http://{HOST}/", f"https://{HOST}/"):
            await conditions.ask(endpoint)

    assert has_token(server) == [False, False, False]


async def test_the_gateway_that_settings_lead_to_is_told_the_token_over_tls(
    secure: WebServer, authorities: ssl.SSLContext, tokens: Tokens
) -> None:
    gateway = {HOST: local(secure, "/gateway")}

    async with send_conditions(hosts=gateway, tokens=tokens, authorities=authorities) as conditions:
        await conditions.ask(f"https://{HOST}/check")

    assert secure.targets == ["/gateway/check"]
    assert has_token(secure) == [True]


class TwoTokens:
    """Has a token that is not taken any more, and a fresh one."""

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        return "fresh" if fresh else "old"


async def test_where_the_token_is_not_taken_a_fresh_one_is_shown_once(
    secure: WebServer, authorities: ssl.SSLContext
) -> None:
    secure.answers["/"] = http_answer(401)

    async with send_conditions(private=True, tokens=TwoTokens(), authorities=authorities) as conditions:
        with pytest.raises(NoAnswer, match="it says 401"):
            await conditions.ask(local(secure))

    assert [asked.headers["authorization"] for asked in secure.asked] == ["Bearer old", "Bearer fresh"]


async def test_without_a_token_a_401_is_no_reason_to_ask_again(server: WebServer) -> None:
    server.answers["/"] = http_answer(401)

    async with send_conditions(private=True, tokens=TwoTokens()) as conditions:
        with pytest.raises(NoAnswer, match="it says 401"):
            await conditions.ask(local(server))

    assert has_token(server) == [False]


@pytest.mark.parametrize("location", ["/next", "next?a=b", "https://localhost:{}/next", "HTTPS://x@LOCALHOST:{}/next"])
async def test_a_redirect_within_the_server_brings_the_token_again(
    secure: WebServer, authorities: ssl.SSLContext, tokens: Tokens, location: str
) -> None:
    secure.answers["/"] = redirect(location.format(secure.port))

    async with send_conditions(private=True, tokens=tokens, authorities=authorities) as conditions:
        assert await conditions.ask(local(secure)) is Condition.MET

    assert has_token(secure) == [True, True]


async def test_the_usual_port_is_the_same_server_whether_it_is_written_or_not(
    secure: WebServer, authorities: ssl.SSLContext, tokens: Tokens
) -> None:
    secure.answers["/"] = redirect(f"https://{HOST}/next")

    async with send_conditions(hosts={HOST: local(secure, "")}, tokens=tokens, authorities=authorities) as conditions:
        await conditions.ask(f"HTTPS://{HOST}:443/")

    assert has_token(secure) == [True, True]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_a_redirect_to_another_port_or_host_does_not_bring_it(
    secure: WebServer, authority: Authority, authorities: ssl.SSLContext, tokens: Tokens, name: str
) -> None:
    async with (
        web_server(authority.server(name)) as other,
        send_conditions(private=True, tokens=tokens, authorities=authorities) as conditions,
    ):
        other.answers["/"] = http_answer(body=MET)
        secure.answers["/"] = redirect(f"https://{name}:{other.port}/")
        assert await conditions.ask(local(secure)) is Condition.MET

        assert (has_token(secure), has_token(other)) == ([True], [False])


async def test_a_redirect_from_clear_text_to_tls_does_not_bring_it(
    server: WebServer, secure: WebServer, authorities: ssl.SSLContext, tokens: Tokens
) -> None:
    server.answers["/"] = redirect(local(secure))

    async with send_conditions(private=True, tokens=tokens, authorities=authorities) as conditions:
        assert await conditions.ask(local(server)) is Condition.MET

    assert has_token(secure) == [False]


async def test_a_redirect_from_tls_to_clear_text_is_not_followed(
    server: WebServer, secure: WebServer, authorities: ssl.SSLContext, tokens: Tokens
) -> None:
    secure.answers["/"] = redirect(local(server))

    async with send_conditions(private=True, tokens=tokens, authorities=authorities) as conditions:
        with pytest.raises(NoAnswer, match="a redirect from https to something else"):
            await conditions.ask(local(secure))

    assert server.connections == 0


@pytest.mark.parametrize("answer", [http_answer(500), http_answer(body=b"{}"), b""])
async def test_where_there_is_no_token_to_be_had_nobody_is_asked(
    server: WebServer, secure: WebServer, authorities: ssl.SSLContext, answer: bytes
) -> None:
    server.answers["/token"] = answer
    async with trusted_client(authorities, httpx2.Limits()) as client:
        tokens = AccessTokens(OwnClient(f"{server.url}/token", "varsel", "secret"), client)
        async with send_conditions(private=True, tokens=tokens, authorities=authorities) as conditions:
            with pytest.raises(NoAnswer):
                await conditions.ask(local(secure))

    assert secure.connections == 0


async def test_a_token_that_takes_too_long_is_no_answer_in_time(server: WebServer, authorities: ssl.SSLContext) -> None:
    server.answers["/token"] = say_nothing
    async with trusted_client(authorities, httpx2.Limits()) as client:
        tokens = AccessTokens(OwnClient(f"{server.url}/token", "varsel", "secret"), client)
        async with send_conditions(private=True, tokens=tokens, within=SHORT) as conditions:
            with pytest.raises(NoAnswer, match=r"none within 0\.2 s"):
                await conditions.ask("https://localhost/")


async def test_a_server_with_the_certificate_of_another_is_told_nothing(
    authority: Authority, authorities: ssl.SSLContext, tokens: Tokens
) -> None:
    async with (
        web_server(authority.server("other.test")) as other,
        send_conditions(private=True, tokens=tokens, authorities=authorities) as conditions,
    ):
        with pytest.raises(NoAnswer):
            await conditions.ask(local(other))

        assert other.asked == []


async def test_a_server_that_nobody_we_trust_vouches_for_is_told_nothing(secure: WebServer, tokens: Tokens) -> None:
    async with send_conditions(hosts={HOST: local(secure, "")}, private=True, tokens=tokens) as conditions:
        for endpoint in (local(secure), f"https://{HOST}/"):
            with pytest.raises(NoAnswer):
                await conditions.ask(endpoint)

    assert secure.asked == []
