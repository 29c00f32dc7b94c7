"""The test issuer of development mode: a key of our own, and tokens like those that real clients bring.

The key is made at first start and kept in the data directory, so `varsel token` works without a running server and
tokens outlive a restart. Whoever can read that folder can be anybody: that is what development mode is for.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt

from varsel.auth.signing_key import ALGORITHM, SigningKey
from varsel.outgoing.own_key import platform_claims

KEY_FILE = "test-issuer-key.pem"
TEST_ORG = "ttd"  # the test department: the service owner that all test environments know
TEST_ORG_NUMBER = "991825827"
AUTHORITY = "iso6523-actorid-upis"  # who says which organisation a number means
OWN_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Who a test token speaks for; without `org` the holder is no service owner."""

    org: str | None
    org_number: str = TEST_ORG_NUMBER
    client_id: str | None = None  # absent: a made-up one
    supplier_number: str | None = None  # organisation number of a supplier who acts for the holder
    delegation_source: str | None = None  # where the supplier was allowed to


class DevelopmentIssuer:
    """Signs and publishes; also a `KeySource`, so that our own tokens are verified without a request to ourselves."""

    def __init__(self, issuer: str, key: SigningKey) -> None:
        self.issuer = issuer
        self._key = key

    @classmethod
    def open(cls, data_dir: Path, issuer: str) -> "DevelopmentIssuer":
        """The issuer whose key is in the data directory, or is made there."""
        return cls(issuer, SigningKey.open(data_dir / KEY_FILE))

    async def find_key(self, key_id: str | None) -> jwt.PyJWK | None:
        """Our own public key."""
        return self._key.public if key_id == self._key.id else None

    def jwks(self) -> dict[str, object]:
        """The key set document."""
        return self._key.jwks

    def discovery(self) -> dict[str, object]:
        """The discovery document, as far as clients of a token issuer read it."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}.well-known/openid-configuration/jwks",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
        }

    def token(
        self, *, scopes: Sequence[str], lifetime: timedelta, org: str | None, org_number: str = TEST_ORG_NUMBER
    ) -> str:
        """An enterprise token of an organisation; without `org` it is no service owner."""
        return self.token_of(TokenHolder(org, org_number), scopes=scopes, lifetime=lifetime)

    def token_of(self, holder: TokenHolder, *, scopes: Sequence[str], lifetime: timedelta) -> str:
        """An enterprise token, as it looks after the exchange."""
        claims: dict[str, object] = {
            "scope": " ".join(scopes),
            "token_type": "Bearer",
            "client_id": holder.client_id or secrets.token_hex(16),
            "jti": secrets.token_urlsafe(32),
            "consumer": organization(holder.org_number),
        }
        if holder.supplier_number:
            claims["supplier"] = organization(holder.supplier_number)
        if holder.delegation_source:
            claims["delegation_source"] = holder.delegation_source
        return self.altinn_token(claims, org=holder.org, org_number=holder.org_number, lifetime=lifetime)

    def altinn_token(
        self, claims: Mapping[str, object], *, org: str | None, org_number: str, lifetime: timedelta
    ) -> str:
        """A token of these claims and those that Altinn adds."""
        now = int(time.time())
        added: dict[str, object] = {
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + int(lifetime.total_seconds()),
            "urn:altinn:orgNumber": org_number,
            "urn:altinn:authenticatemethod": "maskinporten",
            "urn:altinn:authlevel": 3,
        }
        return self._key.sign({**claims, **added, **({"urn:altinn:org": org} if org else {})})

    def platform_token(self, org: str, app: str, lifetime: timedelta) -> str:
        """A platform access token, with which one of the owner's apps calls in its own name."""
        return self._key.sign(platform_claims(org, app, lifetime))


class OwnTestTokens:
    """Tokens of the test issuer for Varsel itself, where it asks others in development mode."""

    def __init__(self, issuer: DevelopmentIssuer) -> None:
        self._issuer = issuer

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        """A token with these scopes, always a fresh one."""
        return self._issuer.token(scopes=scope.split(), lifetime=OWN_LIFETIME, org=None)


def organization(number: str) -> dict[str, str]:
    """An organisation as tokens name it: the number behind the code of its register (ISO 6523)."""
    return {"authority": AUTHORITY, "ID": f"0192:{number}"}
