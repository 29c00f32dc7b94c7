"""Access tokens for our own client: by its secret (RFC 6749 section 4.4) or by a signed grant (RFC 7523 section 2.1).

A token is used until shortly before its end; whoever asks while one is on its way waits for it.
"""

import asyncio
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated
from urllib.parse import quote
from uuid import uuid4

import httpx2
import msgspec
from msgspec import Meta, Struct

from varsel.outgoing.answer import NoAnswer, answer_to
from varsel.outgoing.own_key import OwnKey

TIME_LIMIT = timedelta(seconds=10)
SIZE_LIMIT = 64 * 1024  # bytes
GRANT_LIFETIME = timedelta(seconds=100)  # Maskinporten takes 120 at most
LIFETIME_IF_UNTOLD = timedelta(seconds=60)  # RFC 6749 section 5.1 only recommends expires_in
SPARE = timedelta(seconds=10)  # before its end a token is replaced: it must outlive the request that carries it
FAILURE_KEPT = timedelta(seconds=2)  # whoever asks meanwhile is told the same at once, instead of waiting in line
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class OwnClient:
    """How we are registered with an authorization server, and the secret or the key that we prove it by."""

    token_url: str
    id: str
    proof: str | OwnKey = field(repr=False)
    audience: str | None = None  # `aud` of a grant; absent: the token endpoint (RFC 7523 section 3)


class _Granted(Struct, frozen=True):
    """The endpoint's answer, as far as it matters (RFC 6749 section 5.1)."""

    access_token: Annotated[str, Meta(pattern=r"^[!-~]+\Z")]  # what a header may hold
    expires_in: Annotated[float, Meta(gt=0, le=10**9)] = LIFETIME_IF_UNTOLD.total_seconds()


class AccessTokens:
    """The tokens of one client, one for each scope."""

    def __init__(self, own: OwnClient, client: httpx2.AsyncClient) -> None:
        self._own = own
        self._client = client
        self._tokens: dict[str, tuple[str, float]] = {}
        self._failure: tuple[str, float] = "", float("-inf")
        self._asking = asyncio.Lock()

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        """A token with these scopes, apart by spaces; a fresh one where the last was not taken.

        Raises:
            NoAnswer: there is none to be had.
        """
        last = self._tokens.get(scope)
        async with self._asking:
            text, use_until = self._tokens.get(scope, ("", float("-inf")))
            is_refused = fresh and self._tokens.get(scope) is last  # else somebody else has just fetched another
            if time.monotonic() >= use_until or is_refused:
                text, use_until = self._tokens[scope] = await self._fetch_unless_in_vain(scope)
            return text

    async def _fetch_unless_in_vain(self, scope: str) -> tuple[str, float]:
        reason, counts_until = self._failure
        if time.monotonic() < counts_until:
            raise NoAnswer(reason)
        try:
            return await self._fetch(scope)
        except NoAnswer as error:
            self._failure = str(error), time.monotonic() + FAILURE_KEPT.total_seconds()
            raise

    async def _fetch(self, scope: str) -> tuple[str, float]:
        asked_at = time.monotonic()
        answer = await answer_to(self._client, self._request(scope), within=TIME_LIMIT, size_limit=SIZE_LIMIT)
        if answer.status != 200:
            raise NoAnswer(f"the token endpoint says {answer.status}")
        try:
            granted = msgspec.json.decode(answer.content, type=_Granted)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NoAnswer("the token endpoint gives no token that can be used") from error
        return granted.access_token, asked_at + granted.expires_in - SPARE.total_seconds()

    def _request(self, scope: str) -> httpx2.Request:
        if isinstance(self._own.proof, OwnKey):
            form = {"grant_type": GRANT_TYPE, "assertion": self._grant(self._own.proof, scope)}
            return self._client.build_request("POST", self._own.token_url, data=form)
        # RFC 6749 section 2.3.1: each encoded like a form's value, then as HTTP Basic.
        pair = f"{quote(self._own.id, safe='')}:{quote(self._own.proof, safe='')}"
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        form = {"grant_type": "client_credentials", "scope": scope}
        return self._client.build_request("POST", self._own.token_url, data=form, headers=headers)

    def _grant(self, key: OwnKey, scope: str) -> str:
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self._own.id,
            "aud": self._own.audience or self._own.token_url,
            "scope": scope,
            "iat": now,
            "exp": now + int(GRANT_LIFETIME.total_seconds()),
            "jti": str(uuid4()),
        }
        return key.sign(claims)
