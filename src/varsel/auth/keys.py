"""The public keys of token issuers: ours in development mode, or fetched from the issuer and kept."""

import asyncio
import time
from typing import Protocol

import httpx2
import jwt
import structlog

from varsel.token_issuer import TokenIssuer

log = structlog.get_logger(__name__)

FETCH_TIMEOUT = 5.0  # seconds, for discovery and keys each
REFRESH_AFTER = 3600.0  # seconds
KEPT_FOR = 3600.0  # seconds after a key was last published; tokens live for half an hour, and refreshes take as long
UNKNOWN_KEY_PAUSE = 30.0  # seconds between fetches for unknown key ids, so that made-up ones cause no traffic
DOCUMENT_LIMIT = 1024 * 1024  # bytes


class KeySource(Protocol):
    """Where an issuer's public keys come from."""

    async def find_key(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key with this id; where the token names none, the only key there is."""
        ...


class RemoteKeys:
    """An issuer's keys over HTTPS; the last ones stay usable while the issuer is away."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._last_seen: dict[str | None, float] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def find_key(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key with this id, fetched anew where it is unknown or the keys are old."""
        is_known = self._pick(key_id) is not None
        if not is_known or (self._is_old() and not self._fetching.locked()):
            async with self._fetching:  # whoever asks while the keys are on their way waits for them
                if (self._pick(key_id) is None or self._is_old()) and self._may_fetch():
                    await self._fetch()
        return self._pick(key_id)

    def _is_old(self) -> bool:
        return time.monotonic() - self._fetched_at > REFRESH_AFTER

    def _may_fetch(self) -> bool:
        return time.monotonic() - self._tried_at > UNKNOWN_KEY_PAUSE

    def _pick(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            async with httpx2.AsyncClient(timeout=FETCH_TIMEOUT, follow_redirects=False) as client:
                url = self._issuer.jwks_url or await self._discover(client)
                document = await _json(client, url)
            self._take_over([key for key in jwt.PyJWKSet.from_dict(document).keys if key.public_key_use != "enc"])
            self._fetched_at = self._tried_at
        except (httpx2.HTTPError, httpx2.InvalidURL, jwt.PyJWTError, ValueError, KeyError, TypeError) as error:
            log.warning("issuer's keys not fetched", issuer=self._issuer.issuer, error=type(error).__name__)

    def _take_over(self, published: list[jwt.PyJWK]) -> None:
        """Keep what was published before for a while: tokens that it signed are still about in a roll-over."""
        now = time.monotonic()
        self._last_seen |= {key.key_id: now for key in published}
        recent = {name: key for name, key in self._keys.items() if now - self._last_seen[name] < KEPT_FOR}
        self._keys = recent | {key.key_id: key for key in published}

    async def _discover(self, client: httpx2.AsyncClient) -> str:
        """The issuer's `jwks_uri` (OpenID Connect Discovery section 4)."""
        below = f"{self._issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        document = await _json(client, self._issuer.discovery_url or below)
        return str(document["jwks_uri"])


async def _json(client: httpx2.AsyncClient, url: str) -> dict[str, object]:
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        content = b""
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > DOCUMENT_LIMIT:
                raise ValueError("document too large")
    document = httpx2.Response(200, content=content).json()
    if not isinstance(document, dict):
        raise TypeError("not a JSON object")
    return document
