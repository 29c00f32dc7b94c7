"""Bearer tokens: JWTs of issuers on our list, verified against their published keys.

The list decides: a token's `iss` selects an issuer from it, never an address to fetch from, and the algorithm must be
one that a public key can verify. Nothing that a token's header offers (`jku`, `jwk`, `x5u`) is looked at.
"""

from collections.abc import Mapping

import jwt

from varsel.auth.caller import Caller
from varsel.auth.keys import KeySource
from varsel.errors import NotAuthenticated

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
CLOCK_SKEW = 10.0  # seconds, as the original allows
ORG_CLAIM = "urn:altinn:org"


class BearerTokens:
    """Verifies tokens of the issuers that we trust."""

    def __init__(self, issuers: Mapping[str, KeySource]) -> None:
        self._issuers = issuers

    async def verify(self, token: str) -> Caller:
        """The token's holder.

        Raises:
            NotAuthenticated: not a token, expired, or not signed by an issuer that we trust.
        """
        try:
            issuer, header = _unverified(token)
            source = self._issuers.get(issuer)
            key = await source.find_key(header.get("kid")) if source else None
            if key is None:
                raise NotAuthenticated("unknown issuer or key")
            claims = jwt.decode(
                token,
                key.key,
                algorithms=ALGORITHMS,
                issuer=issuer,
                leeway=CLOCK_SKEW,
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotAuthenticated("the token cannot be verified") from error
        return Caller(owner=_text(claims.get(ORG_CLAIM)), scopes=_scopes(claims.get("scope")))


def _unverified(token: str) -> tuple[str, dict[str, str]]:
    """Issuer and header, only to find the key that shall verify them."""
    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    return str(claims.get("iss")), header


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) and claim else None


def _scopes(claim: object) -> frozenset[str]:
    """One string of scopes apart by spaces (RFC 8693 section 4.2), or a list of them."""
    words = claim if isinstance(claim, list) else [claim]
    return frozenset(scope for word in words if isinstance(word, str) for scope in word.split(" ") if scope)
