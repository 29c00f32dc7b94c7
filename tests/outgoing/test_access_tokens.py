"""Tokens for our own client: how they are asked for, how long they are used, and what counts as one."""

import asyncio
import json
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote_plus

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.api.served import served
from tests.auth.platform import KEY as RSA_KEY
from tests.outgoing.web_server import Asked, WebServer, http_answer, redirect, say_nothing
from varsel.api.development_maskinporten import maskinporten_resources
from varsel.api.routing import Application
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.registered_clients import BUILT_IN_ID, BUILT_IN_KEY_FILE
from varsel.outgoing import access_tokens as module
from varsel.outgoing.access_tokens import GRANT_TYPE, LIFETIME_IF_UNTOLD, SIZE_LIMIT, SPARE, AccessTokens, OwnClient
from varsel.outgoing.answer import NoAnswer
from varsel.outgoing.clients import trusted_client
from varsel.outgoing.own_key import OwnKey

SCOPE = "altinn:one"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@pytest.fixture
async def client(server: WebServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with trusted_client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), httpx2.Limits()) as client:
        yield client


@pytest.fixture
def tokens(server: WebServer, client: httpx2.AsyncClient) -> AccessTokens:
    """Those of a client with a secret; the endpoint gives out the token `first`."""
    give(server, "first")
    return AccessTokens(OwnClient(f"{server.url}/token", "varsel", "secret"), client)


def give(server: WebServer, token: str, **members: object) -> None:
    """Let the endpoint give out this token, with a lifetime of a minute until told otherwise."""
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": 60} | members
    body = {name: value for name, value in answer.items() if value is not None}
    server.answers["/token"] = http_answer(body=json.dumps(body).encode())


def form_of(asked: Asked) -> Mapping[str, str]:
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True))


def own_key(key: Key, key_id: str | None = None) -> OwnKey:
    return OwnKey.read(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), key_id)


def let_time_pass(tokens: AccessTokens, passed: timedelta) -> None:
    """As if all tokens had been fetched that much longer ago."""
    for scope, (text, use_until) in tokens._tokens.items():
        tokens._tokens[scope] = text, use_until - passed.total_seconds()


def let_failure_pass(tokens: AccessTokens) -> None:
    """As if the last failure had been long ago."""
    tokens._failure = tokens._failure[0], float("-inf")


@pytest.mark.parametrize(
    ("id_", "secret"),
    [
        ("varsel", "secret"),
        ("8d6b2c1e-2a0f-4a55-9d1b-0c3f5f6f7a8b", "k-X_y.z~1"),
        ("a:b", "c:d:e"),
        ("a@b/c?d", "100% &+=#;,"),
        ("blåbær", "påske 🐣"),
        ("a%3Ab", "%2B"),
        ("x", ""),
    ],
)
async def test_a_client_proves_itself_by_its_secret(
    server: WebServer, client: httpx2.AsyncClient, id_: str, secret: str
) -> None:
    give(server, "first")

    await AccessTokens(OwnClient(f"{server.url}/token", id_, secret), client).token(f"{SCOPE} altinn:two/æ")

    [asked] = server.asked
    kind, _, pair = asked.headers["authorization"].partition(" ")
    parts = [unquote_plus(part) for part in b64decode(pair, validate=True).decode("ascii").split(":")]
    assert (asked.method, kind, parts) == ("POST", "Basic", [id_, secret])
    assert form_of(asked) == {"grant_type": "client_credentials", "scope": f"{SCOPE} altinn:two/æ"}


@pytest.mark.parametrize(
    ("key", "key_id", "header"),
    [
        (RSA_KEY, "key-1", {"alg": "RS256", "typ": "JWT", "kid": "key-1"}),
        (RSA_KEY, None, {"alg": "RS256", "typ": "JWT"}),
        (EC_KEY, "key-2", {"alg": "ES256", "typ": "JWT", "kid": "key-2"}),
    ],
)
@pytest.mark.parametrize("audience", ["https://maskinporten.test/", None])
async def test_a_client_proves_itself_by_its_key(
    server: WebServer,
    client: httpx2.AsyncClient,
    key: Key,
    key_id: str | None,
    header: Mapping[str, str],
    audience: str | None,
) -> None:
    give(server, "first")
    own = OwnClient(f"{server.url}/token", "varsel", own_key(key, key_id), audience)

    await AccessTokens(own, client).token(f"{SCOPE} altinn:two")

    [asked] = server.asked
    form = form_of(asked)
    assert "authorization" not in asked.headers
    assert (set(form), form["grant_type"]) == ({"grant_type", "assertion"}, GRANT_TYPE)
    assert jwt.get_unverified_header(form["assertion"]) == header
    claims = jwt.decode(
        form["assertion"],
        key.public_key(),
        algorithms=[header["alg"]],
        issuer="varsel",
        audience=audience or f"{server.url}/token",
        options={"require": ["exp", "iat", "jti"]},
    )
    assert claims["scope"] == f"{SCOPE} altinn:two"
    assert 0 < claims["exp"] - claims["iat"] <= 120  # which is all that Maskinporten takes


async def test_no_grant_is_sent_twice(server: WebServer, client: httpx2.AsyncClient) -> None:
    give(server, "first")
    tokens = AccessTokens(OwnClient(f"{server.url}/token", "varsel", own_key(EC_KEY)), client)

    await tokens.token(SCOPE)
    await tokens.token(SCOPE, fresh=True)

    assertions = [form_of(asked)["assertion"] for asked in server.asked]
    ids = {jwt.decode(text, options={"verify_signature": False})["jti"] for text in assertions}
    assert len(ids) == 2


def test_what_a_client_proves_itself_by_is_not_shown() -> None:
    assert "hemmelig" not in repr(OwnClient("https://issuer.test/token", "varsel", "hemmelig"))


async def test_a_token_is_used_until_shortly_before_its_end(server: WebServer, tokens: AccessTokens) -> None:
    assert await tokens.token(SCOPE) == "first"
    give(server, "second")
    let_time_pass(tokens, timedelta(seconds=50) - SPARE)
    assert await tokens.token(SCOPE) == "first"
    let_time_pass(tokens, timedelta(seconds=10))

    assert await tokens.token(SCOPE) == "second"

    assert len(server.asked) == 2


async def test_a_token_that_ends_at_once_is_used_once(server: WebServer, tokens: AccessTokens) -> None:
    give(server, "first", expires_in=1)
    assert await tokens.token(SCOPE) == "first"
    give(server, "second", expires_in=1)

    assert await tokens.token(SCOPE) == "second"


async def test_a_token_without_a_lifetime_is_used_for_a_minute_at_most(server: WebServer, tokens: AccessTokens) -> None:
    give(server, "first", expires_in=None)
    await tokens.token(SCOPE)
    give(server, "second")
    assert await tokens.token(SCOPE) == "first"
    let_time_pass(tokens, LIFETIME_IF_UNTOLD - SPARE)

    assert await tokens.token(SCOPE) == "second"


async def test_who_asks_while_a_token_is_on_its_way_waits_for_it(server: WebServer, tokens: AccessTokens) -> None:
    texts = await asyncio.gather(*(tokens.token(SCOPE) for _ in range(5)))

    assert (texts, len(server.asked)) == (["first"] * 5, 1)


async def test_a_fresh_token_takes_the_place_of_the_last(server: WebServer, tokens: AccessTokens) -> None:
    await tokens.token(SCOPE)
    give(server, "second")

    assert await tokens.token(SCOPE, fresh=True) == "second"

    assert await tokens.token(SCOPE) == "second"
    assert len(server.asked) == 2


async def test_many_whose_token_was_not_taken_share_the_fresh_one(server: WebServer, tokens: AccessTokens) -> None:
    await tokens.token(SCOPE)
    give(server, "second")

    texts = await asyncio.gather(*(tokens.token(SCOPE, fresh=True) for _ in range(5)))

    assert (texts, len(server.asked)) == (["second"] * 5, 2)


async def test_the_first_token_is_fresh_enough(server: WebServer, tokens: AccessTokens) -> None:
    assert await tokens.token(SCOPE, fresh=True) == "first"

    assert len(server.asked) == 1


async def test_each_scope_has_a_token_of_its_own(server: WebServer, tokens: AccessTokens) -> None:
    await tokens.token(SCOPE)
    give(server, "second")

    assert await tokens.token(f"{SCOPE} altinn:two") == "second"
    assert await tokens.token(SCOPE) == "first"

    assert [form_of(asked)["scope"] for asked in server.asked] == [SCOPE, f"{SCOPE} altinn:two"]


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 403, 404, 429, 500, 503])
async def test_every_status_but_200_gives_no_token(server: WebServer, tokens: AccessTokens, status: int) -> None:
    server.answers["/token"] = http_answer(status, b'{"access_token": "first", "error": "invalid_client"}')

    with pytest.raises(NoAnswer, match=f"the token endpoint says {status}"):
        await tokens.token(SCOPE)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_secret_does_not_follow_a_redirect(server: WebServer, tokens: AccessTokens, status: int) -> None:
    server.answers |= {"/token": redirect("/other", status), "/other": http_answer(body=b'{"access_token":"first"}')}

    with pytest.raises(NoAnswer):
        await tokens.token(SCOPE)

    assert server.targets == ["/token"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"first",
        b"[]",
        b"null",
        b'"first"',
        b"{}",
        b'{"token": "first"}',
        b'{"Access_Token": "first"}',
        b'{"access_token": null}',
        b'{"access_token": 1}',
        b'{"access_token": ""}',
        b'{"access_token": ["first"]}',
        b'{"access_token": "fi rst"}',
        b'{"access_token": " first"}',
        b'{"access_token": "first\\n"}',
        b'{"access_token": "first\\r\\nX-Injected: 1"}',
        b'{"access_token": "first\\u0000"}',
        b'{"access_token": "f\\u00f8rst"}',
        b'{"access_token": "f\xf8rst"}',
        b'{"access_token": "first", "expires_in": 0}',
        b'{"access_token": "first", "expires_in": -1}',
        b'{"access_token": "first", "expires_in": "60"}',
        b'{"access_token": "first", "expires_in": null}',
        b'{"access_token": "first", "expires_in": true}',
        b'{"access_token": "first", "expires_in": 1e10}',
        b'{"access_token": "first", "expires_in": 1e400}',
        b'{"access_token": "first", "expires_in": NaN}',
        b'{"access_token": "first"} x',
        b"access_token=first&expires_in=60",
        b"[" * 10_000,
        b'{"x":' * 10_000,
        b" " * SIZE_LIMIT + b'{"access_token": "first"}',
    ],
    ids=lambda body: repr(body[:50]),
)
async def test_an_answer_without_a_token_that_can_be_used_gives_none(
    server: WebServer, tokens: AccessTokens, body: bytes
) -> None:
    server.answers["/token"] = http_answer(body=body)

    with pytest.raises(NoAnswer) as error:
        await tokens.token(SCOPE)

    assert "rst" not in str(error.value)


async def test_no_answer_is_remembered_as_a_token(server: WebServer, tokens: AccessTokens) -> None:
    server.answers["/token"] = http_answer(500)
    with pytest.raises(NoAnswer):
        await tokens.token(SCOPE)
    give(server, "second")
    let_failure_pass(tokens)

    assert await tokens.token(SCOPE) == "second"


async def test_who_asks_right_after_a_failure_is_told_the_same_and_nobody_else_is_asked(
    server: WebServer, tokens: AccessTokens
) -> None:
    server.answers["/token"] = http_answer(500)

    for scope in (SCOPE, SCOPE, "altinn:two"):
        with pytest.raises(NoAnswer, match="the token endpoint says 500"):
            await tokens.token(scope)

    assert server.targets == ["/token"]


async def test_a_token_that_could_not_be_replaced_is_used_while_it_lasts(
    server: WebServer, tokens: AccessTokens
) -> None:
    await tokens.token(SCOPE)
    server.answers["/token"] = http_answer(500)
    with pytest.raises(NoAnswer):
        await tokens.token(SCOPE, fresh=True)

    assert await tokens.token(SCOPE) == "first"


async def test_an_endpoint_that_says_nothing_gives_no_token(
    server: WebServer, tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIME_LIMIT", timedelta(seconds=0.05))
    server.answers["/token"] = say_nothing

    with pytest.raises(NoAnswer, match=r"none within 0\.05 s"):
        await tokens.token(SCOPE)


async def test_who_gives_up_waiting_does_not_take_the_token_from_the_others(
    server: WebServer, tokens: AccessTokens
) -> None:
    first, second = (asyncio.create_task(tokens.token(SCOPE)) for _ in range(2))
    await server.wait_until_asked()

    first.cancel()

    assert await second == "first"


@pytest.fixture(scope="session")
def token_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maskinporten")


@pytest.fixture(scope="session")
def maskinporten(token_folder: Path) -> Maskinporten:
    """The one of development mode."""
    return Maskinporten.open(token_folder, "http://varsel.test/")


async def test_maskinporten_knows_our_built_in_client(maskinporten: Maskinporten, token_folder: Path) -> None:
    key = OwnKey.read((token_folder / BUILT_IN_KEY_FILE).read_bytes())
    application = Application(None, maskinporten_resources(maskinporten), {})

    async with served(application) as port, httpx2.AsyncClient() as client:
        own = OwnClient(f"http://127.0.0.1:{port}/token", BUILT_IN_ID, key, maskinporten.issuer)
        tokens = AccessTokens(own, client)
        texts = [await tokens.token("altinn:one altinn:two", fresh=fresh) for fresh in (False, True)]

    claims = [maskinporten.verify(text) for text in texts]
    assert [claim["scope"] for claim in claims] == ["altinn:one altinn:two"] * 2
    assert {claim["client_id"] for claim in claims} == {BUILT_IN_ID}
    assert len(set(texts)) == 2


@pytest.mark.parametrize(
    ("id_", "audience", "status"), [("somebody", "http://varsel.test/", 401), (BUILT_IN_ID, None, 400)]
)
async def test_maskinporten_refuses_whom_it_does_not_know_and_what_is_meant_for_others(
    maskinporten: Maskinporten, token_folder: Path, id_: str, audience: str | None, status: int
) -> None:
    key = OwnKey.read((token_folder / BUILT_IN_KEY_FILE).read_bytes())
    application = Application(None, maskinporten_resources(maskinporten), {})

    async with served(application) as port, httpx2.AsyncClient() as client:
        tokens = AccessTokens(OwnClient(f"http://127.0.0.1:{port}/token", id_, key, audience), client)
        with pytest.raises(NoAnswer, match=f"the token endpoint says {status}"):
            await tokens.token(SCOPE)
