"""An issuer's keys: found, kept, fetched anew when there is reason to, and never because a stranger says so."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.auth.issuer_server import DISCOVERY_PATH, KEYS_PATH, IssuerServer
from tests.auth.tokens import KEY_ID, claims, jwk_of, token
from varsel.auth.bearer import BearerTokens
from varsel.auth.keys import DOCUMENT_LIMIT, REFRESH_AFTER, UNKNOWN_KEY_PAUSE, RemoteKeys
from varsel.errors import NotAuthenticated
from varsel.token_issuer import TokenIssuer


def let_time_pass(keys: RemoteKeys, seconds: float) -> None:
    """As if the last fetch were that much longer ago."""
    keys._fetched_at -= seconds
    keys._tried_at -= seconds
    keys._last_seen = {name: seen - seconds for name, seen in keys._last_seen.items()}


async def test_keys_are_found_by_discovery(server: IssuerServer, keys: RemoteKeys) -> None:
    found = await keys.find_key(KEY_ID)

    assert found is not None
    assert found.key_id == KEY_ID
    assert server.asked == [DISCOVERY_PATH, KEYS_PATH]


async def test_keys_whose_place_is_known_are_fetched_from_there(server: IssuerServer) -> None:
    keys = RemoteKeys(TokenIssuer("https://issuer.invalid/", jwks_url=f"{server.url}{KEYS_PATH}"))

    assert await keys.find_key(KEY_ID) is not None

    assert server.asked == [KEYS_PATH]


async def test_an_issuers_path_stays_before_that_of_its_discovery(server: IssuerServer) -> None:
    path = f"/authentication/api/v1/openid{DISCOVERY_PATH}"
    server.documents[path] = server.documents.pop(DISCOVERY_PATH)

    for end in ("", "/"):
        keys = RemoteKeys(TokenIssuer(f"{server.url}/authentication/api/v1/openid{end}"))
        assert await keys.find_key(KEY_ID) is not None


async def test_keys_are_kept(server: IssuerServer, keys: RemoteKeys) -> None:
    for _ in range(3):
        assert await keys.find_key(KEY_ID) is not None

    assert len(server.asked) == 2


async def test_keys_are_fetched_anew_after_an_hour(
    server: IssuerServer, keys: RemoteKeys, another_key: rsa.RSAPrivateKey
) -> None:
    await keys.find_key(KEY_ID)
    server.publish(jwk_of(another_key.public_key(), "key-2"))
    let_time_pass(keys, REFRESH_AFTER + 1)

    assert await keys.find_key(KEY_ID) is None

    assert await keys.find_key("key-2") is not None
    assert len(server.asked) == 4


async def test_a_key_that_was_replaced_serves_its_tokens_for_another_hour(
    server: IssuerServer, keys: RemoteKeys, another_key: rsa.RSAPrivateKey
) -> None:
    await keys.find_key(KEY_ID)
    server.publish(jwk_of(another_key.public_key(), "key-2"))
    let_time_pass(keys, UNKNOWN_KEY_PAUSE + 1)
    assert await keys.find_key("key-2") is not None

    assert await keys.find_key(KEY_ID) is not None
    let_time_pass(keys, REFRESH_AFTER + 1)
    assert await keys.find_key(KEY_ID) is None


async def test_a_new_key_is_fetched_as_soon_as_it_is_used(
    server: IssuerServer, keys: RemoteKeys, key: rsa.RSAPrivateKey, another_key: rsa.RSAPrivateKey
) -> None:
    await keys.find_key(KEY_ID)
    server.publish(jwk_of(key.public_key()), jwk_of(another_key.public_key(), "key-2"))
    let_time_pass(keys, UNKNOWN_KEY_PAUSE + 1)

    assert await keys.find_key("key-2") is not None


async def test_key_ids_that_were_made_up_cause_one_fetch_in_a_while(server: IssuerServer, keys: RemoteKeys) -> None:
    found = [await keys.find_key(f"made-up-{number}") for number in range(20)]

    assert found == [None] * 20
    assert len(server.asked) == 2


async def test_keys_that_many_ask_for_at_once_are_fetched_once(server: IssuerServer, keys: RemoteKeys) -> None:
    found = await asyncio.gather(*(keys.find_key(KEY_ID) for _ in range(20)))

    assert None not in found
    assert len(server.asked) == 2


async def test_who_asks_while_the_keys_are_on_their_way_waits_for_them(server: IssuerServer, keys: RemoteKeys) -> None:
    server.may_answer.clear()
    first = asyncio.create_task(keys.find_key(KEY_ID))
    await server.was_asked.wait()
    second = asyncio.create_task(keys.find_key(KEY_ID))
    await asyncio.sleep(0)  # lets it begin

    server.may_answer.set()

    assert await first is not None
    assert await second is not None


@pytest.mark.parametrize("away", ["status", "nonsense", "nothing", "no keys", "closed", "too large"])
async def test_while_the_issuer_is_away_its_last_keys_stay_usable(
    server: IssuerServer, keys: RemoteKeys, away: str
) -> None:
    known = await keys.find_key(KEY_ID)
    match away:
        case "status":
            server.status = 500
        case "nonsense":
            server.documents = dict.fromkeys(server.documents, b"<html>")
        case "nothing":
            server.documents = {}
        case "no keys":
            server.publish()
        case "closed":
            keys._issuer = TokenIssuer("http://127.0.0.1:1/")
        case "too large":
            server.documents[KEYS_PATH] = b"{}".ljust(DOCUMENT_LIMIT + 1)
        case _:
            raise AssertionError(away)
    let_time_pass(keys, REFRESH_AFTER + 1)

    assert await keys.find_key(KEY_ID) is known


async def test_an_issuer_that_is_away_is_not_asked_at_every_request(server: IssuerServer, keys: RemoteKeys) -> None:
    server.status = 500

    for _ in range(5):
        assert await keys.find_key(KEY_ID) is None

    assert len(server.asked) == 1


async def test_an_issuer_that_comes_back_is_trusted_again(server: IssuerServer, keys: RemoteKeys) -> None:
    server.status = 500
    await keys.find_key(KEY_ID)
    server.status = 200
    let_time_pass(keys, UNKNOWN_KEY_PAUSE + 1)

    assert await keys.find_key(KEY_ID) is not None


async def test_a_redirect_is_not_followed(server: IssuerServer, keys: RemoteKeys) -> None:
    server.documents["/else"] = server.documents[DISCOVERY_PATH]
    server.status, server.headers = 302, f"Location: {server.url}/else\r\n"

    assert await keys.find_key(KEY_ID) is None

    assert server.asked == [DISCOVERY_PATH]


async def test_a_token_that_names_no_key_is_meant_for_the_only_one(
    server: IssuerServer, keys: RemoteKeys, key: rsa.RSAPrivateKey, another_key: rsa.RSAPrivateKey
) -> None:
    assert await keys.find_key(None) is not None
    server.publish(jwk_of(key.public_key()), jwk_of(another_key.public_key(), "key-2"))
    let_time_pass(keys, REFRESH_AFTER + 1)

    assert await keys.find_key(None) is None


async def test_the_address_in_a_tokens_header_is_never_asked(
    server: IssuerServer, keys: RemoteKeys, another_key: rsa.RSAPrivateKey
) -> None:
    tokens = BearerTokens({f"{server.url}/": keys})
    server.documents["/evil"] = {"keys": [jwk_of(another_key.public_key())]}
    offers = {"jku": f"{server.url}/evil", "x5u": f"{server.url}/evil", "jwk": jwk_of(another_key.public_key())}

    with pytest.raises(NotAuthenticated):
        await tokens.verify(token(another_key, claims(iss=f"{server.url}/"), **offers))

    assert server.asked == [DISCOVERY_PATH, KEYS_PATH]


async def test_an_issuer_that_is_not_on_the_list_is_never_asked(
    server: IssuerServer, keys: RemoteKeys, key: rsa.RSAPrivateKey
) -> None:
    tokens = BearerTokens({f"{server.url}/": keys})

    with pytest.raises(NotAuthenticated):
        await tokens.verify(token(key, claims(iss=server.url)))

    assert server.asked == []
