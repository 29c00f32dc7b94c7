"""What clients of Maskinporten and of the exchange send, as they come: discover, ask, exchange."""

import time
from typing import Any
from uuid import uuid4

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DISCOVERY = "/.well-known/oauth-authorization-server"
EXCHANGE = "/authentication/api/v1/exchange/maskinporten"
SCOPE = "altinn:serviceowner/notifications.create"


def assertion(key: rsa.RSAPrivateKey, **changes: object) -> str:
    """An assertion of the built-in client; a change to None leaves the claim out."""
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": "varsel-test-client",
        "aud": "http://varsel.test/",
        "scope": SCOPE,
        "iat": now,
        "exp": now + 120,
        "jti": str(uuid4()),
    }
    told = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(told, key, algorithm="RS256")


async def ask(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """The token endpoint's answer to an assertion."""
    endpoint = (await client.get(DISCOVERY)).json()["token_endpoint"]
    return await client.post(endpoint, data={"grant_type": GRANT_TYPE, "assertion": text})


async def access_token(client: httpx2.AsyncClient, key: rsa.RSAPrivateKey, **changes: object) -> str:
    """An access token for an assertion that holds."""
    answer = await ask(client, assertion(key, **changes))
    return str(answer.json()["access_token"])


async def exchanged(client: httpx2.AsyncClient, token: str, path: str = EXCHANGE, **headers: str) -> httpx2.Response:
    """The exchange's answer to a token."""
    return await client.get(path, headers={"Authorization": f"Bearer {token}", **headers})


def claims_of(text: str) -> dict[str, Any]:
    """What a token says, whoever signed it."""
    claims: dict[str, Any] = jwt.decode(text, options={"verify_signature": False})
    return claims
