"""Maskinporten's endpoints in development mode, as its clients use them."""

from typing import Any
from urllib.parse import urlencode

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.api.grants import DISCOVERY, GRANT_TYPE, SCOPE, ask, assertion
from varsel.api.development_maskinporten import FORM_LIMIT

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def error_in(answer: httpx2.Response) -> tuple[int, str]:
    """Status and error code of an OAuth error, whose form is checked."""
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, body["error"]


@pytest.mark.parametrize("path", [DISCOVERY, "/.well-known/openid-configuration", f"{DISCOVERY.upper()}/"])
async def test_the_metadata_leads_to_the_endpoints(developer: httpx2.AsyncClient, path: str) -> None:
    metadata = (await developer.get(path)).json()

    assert {name: value for name, value in metadata.items() if isinstance(value, str)} == {
        "issuer": "http://varsel.test/",
        "token_endpoint": "http://varsel.test/token",
        "jwks_uri": "http://varsel.test/jwk",
    }
    assert metadata["grant_types_supported"] == [GRANT_TYPE]
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert {"RS256", "RS512"} <= set(metadata["token_endpoint_auth_signing_alg_values_supported"])


async def test_the_keys_tell_nothing_private(developer: httpx2.AsyncClient) -> None:
    [key] = (await developer.get("/jwk")).json()["keys"]

    assert {name: key[name] for name in ("kty", "use", "alg")} == {"kty": "RSA", "use": "sig", "alg": "RS256"}
    assert not set(key) & {"d", "p", "q", "dp", "dq", "qi", "k"}


async def test_a_registered_client_gets_a_token_that_the_published_key_verifies(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey
) -> None:
    answer = await ask(developer, assertion(built_in_key))

    body = answer.json()
    assert answer.status_code == 200
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert {name: body[name] for name in set(body) - {"access_token"}} == {
        "token_type": "Bearer",
        "expires_in": 120,
        "scope": SCOPE,
    }
    metadata = (await developer.get(DISCOVERY)).json()
    keys = jwt.PyJWKSet.from_dict((await developer.get(metadata["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(body["access_token"])["kid"]]
    claims = jwt.decode(body["access_token"], key.key, algorithms=["RS256"], issuer=metadata["issuer"])
    assert claims["client_id"] == "varsel-test-client"


@pytest.mark.parametrize("path", ["/token", "/token/", "/TOKEN"])
@pytest.mark.parametrize("content_type", [FORM["Content-Type"], "application/X-WWW-form-urlencoded; charset=utf-8"])
async def test_the_token_endpoint_is_found_however_it_is_written(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey, path: str, content_type: str
) -> None:
    form = urlencode({"assertion": assertion(built_in_key), "grant_type": GRANT_TYPE, "resource": "x"})

    answer = await developer.post(path, content=form.encode(), headers={"Content-Type": content_type})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": "somebody"}, (401, "invalid_client")),
        ({"aud": "https://maskinporten.no/"}, (400, "invalid_grant")),
        ({"exp": 1}, (400, "invalid_grant")),
        ({"jti": None}, (400, "invalid_grant")),
        ({"scope": None}, (400, "invalid_scope")),
        ({"iss": "agency"}, (400, "invalid_grant")),
    ],
    ids=str,
)
async def test_an_assertion_that_does_not_hold_gets_the_standards_error(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey, claims: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = await ask(developer, assertion(built_in_key, **claims))

    assert error_in(answer) == expected


async def test_a_client_gets_no_scope_that_it_is_not_registered_for(
    developer: httpx2.AsyncClient, agency_key: rsa.RSAPrivateKey
) -> None:
    answer = await ask(developer, assertion(agency_key, iss="agency", scope=f"{SCOPE} altinn:serviceowner/x"))

    assert error_in(answer) == (400, "invalid_scope")


async def test_an_assertion_that_comes_again_gets_no_second_token(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey
) -> None:
    text = assertion(built_in_key)

    answers = [await ask(developer, text) for _ in range(2)]

    assert answers[0].status_code == 200
    assert error_in(answers[1]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (b"", "invalid_request"),
        (b"assertion=x", "invalid_request"),
        (b"grant_type=", "invalid_request"),
        (f"grant_type={GRANT_TYPE}".encode(), "invalid_request"),
        (f"grant_type={GRANT_TYPE}&assertion=".encode(), "invalid_request"),
        (f"grant_type={GRANT_TYPE}&assertion=x&assertion=y".encode(), "invalid_request"),
        (f"grant_type={GRANT_TYPE}&assertion=x&x=1&x=1".encode(), "invalid_request"),
        (f"grant_type={GRANT_TYPE}&assertion=x".encode() + b"&x=1" * 1000, "invalid_request"),
        (b"\xff\x00=%ff&&&==&%", "invalid_request"),
        (b'{"grant_type": "x", "assertion": "x"}', "invalid_request"),
        (b"grant_type=client_credentials&assertion=x", "unsupported_grant_type"),
        (b"grant_type=authorization_code&assertion=x", "unsupported_grant_type"),
        (f"grant_type={GRANT_TYPE.upper()}&assertion=x".encode(), "unsupported_grant_type"),
        (f"grant_type={GRANT_TYPE}&assertion=x".encode(), "invalid_grant"),
        (f"grant_type={GRANT_TYPE}&assertion=%00%ff.%c3.".encode(), "invalid_grant"),
        (f"grant_type={GRANT_TYPE}&assertion=".encode() + b"." * 60_000, "invalid_grant"),
    ],
    ids=lambda value: ascii(value)[:60],
)
async def test_a_form_that_is_no_grant_gets_the_standards_error(
    developer: httpx2.AsyncClient, form: bytes, expected: str
) -> None:
    answer = await developer.post("/token", content=form, headers=FORM)

    assert error_in(answer) == (400, expected)


@pytest.mark.parametrize("content_type", [None, "", "application/json", "multipart/form-data; boundary=x", "x"])
async def test_a_grant_comes_as_a_form(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey, content_type: str | None
) -> None:
    form = urlencode({"grant_type": GRANT_TYPE, "assertion": assertion(built_in_key)}).encode()
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = await developer.post("/token", content=form, headers=headers)

    assert error_in(answer) == (400, "invalid_request")


async def test_a_form_is_read_no_further_than_its_limit(developer: httpx2.AsyncClient) -> None:
    answer = await developer.post("/token", content=b"x" * (FORM_LIMIT + 1), headers=FORM)

    assert (answer.status_code, answer.content) == (413, b"")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_tokens_are_asked_for_by_post_only(developer: httpx2.AsyncClient, method: str) -> None:
    answer = await developer.request(method, "/token")

    assert answer.status_code == 405
