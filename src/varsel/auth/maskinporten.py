"""Maskinporten's part in development mode: access tokens for registered clients, against a signed assertion.

It has an issuer and a key of its own, neither of which the API trusts: its tokens are good for the exchange only.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt

from varsel.auth.assertion import (
    GrantError,
    GrantRefused,
    UsedIds,
    check_claims,
    check_signature,
    read_assertion,
)
from varsel.auth.bearer import CLOCK_SKEW
from varsel.auth.development_issuer import organization
from varsel.auth.registered_clients import RegisteredClient, registered_clients
from varsel.auth.signing_key import ALGORITHM, SigningKey
from varsel.errors import NotAuthenticated
from varsel.token_issuer import ALGORITHMS

KEY_FILE = "test-maskinporten-key.pem"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME = timedelta(seconds=120)  # as the original's: long enough to exchange it


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a client gets for its assertion."""

    text: str
    scope: str
    lifetime: timedelta


class Maskinporten:
    """Gives out access tokens, and knows them again."""

    def __init__(self, issuer: str, key: SigningKey, clients: Mapping[str, RegisteredClient]) -> None:
        self.issuer = issuer
        self.clients = clients
        self._key = key
        self._used_ids = UsedIds()

    @classmethod
    def open(cls, data_dir: Path, issuer: str, clients: Path | None = None) -> "Maskinporten":
        """Keys are in the data directory, or made there; `clients` is a file of clients beside the built-in one.

        Raises:
            SettingsError: the file cannot be used.
        """
        return cls(issuer, SigningKey.open(data_dir / KEY_FILE), registered_clients(data_dir, clients))

    def jwks(self) -> dict[str, object]:
        """The key set document."""
        return self._key.jwks

    def discovery(self) -> dict[str, object]:
        """The authorization server's metadata (RFC 8414 section 2)."""
        return {
            "issuer": self.issuer,
            "token_endpoint": f"{self.issuer}token",
            "jwks_uri": f"{self.issuer}jwk",
            "grant_types_supported": [GRANT_TYPE],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        }

    def grant(self, assertion: str) -> AccessToken:
        """An access token for whoever signed this.

        Raises:
            GrantRefused: the client is unknown, the assertion does not hold, or it asks for too much.
        """
        claims = read_assertion(assertion)
        client = self.clients.get(claims.iss)
        if client is None:
            raise GrantRefused(GrantError.INVALID_CLIENT, "no client is registered under the id that iss names")
        check_signature(assertion, client)
        check_claims(claims, self.issuer)
        scopes = claims.scope.split()
        if not scopes or not client.may_have(scopes):
            raise GrantRefused(GrantError.INVALID_SCOPE, "scope must name scopes that the client is registered for")
        self._used_ids.use(client.id, claims.jti)  # last, so that a refused assertion uses nothing up
        return self._access_token(client, " ".join(scopes))

    def _access_token(self, client: RegisteredClient, scope: str) -> AccessToken:
        now = int(time.time())
        claims: dict[str, object] = {
            "scope": scope,
            "iss": self.issuer,
            "client_amr": "private_key_jwt",
            "token_type": "Bearer",
            "exp": now + int(LIFETIME.total_seconds()),
            "iat": now,
            "client_id": client.id,
            "jti": secrets.token_urlsafe(32),
            "consumer": organization(client.org_number),
        }
        return AccessToken(self._key.sign(claims), scope, LIFETIME)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of an access token.

        Raises:
            NotAuthenticated: it is none of ours, or has expired.
        """
        try:
            return jwt.decode(
                token,
                self._key.public.key,
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                leeway=CLOCK_SKEW,
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotAuthenticated("not an access token of our Maskinporten") from error
