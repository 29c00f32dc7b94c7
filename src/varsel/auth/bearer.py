"""Bearer tokens: JWTs of issuers on our list, verified against their published keys.

The list decides: a token's `iss` selects an issuer from it, never an address to fetch from, and the algorithm must be
one that the issuer may use. Nothing that a token's header offers (`jku`, `jwk`, `x5u`) is looked at.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from varsel.auth.caller import Caller
from varsel.auth.keys import KeySource
from varsel.auth.verified_tokens import VerifiedTokens
from varsel.errors import NotAuthenticated
from varsel.token_issuer import TokenIssuer

CLOCK_SKEW = 10.0  # seconds, as the original allows


class BearerTokens:
    """Verifies tokens of the issuers that we trust; `rules` are for those that differ from Altinn's own."""

    def __init__(self, issuers: Mapping[str, KeySource], rules: Sequence[TokenIssuer] = ()) -> None:
        self._issuers = issuers
        self._rules = {rule.issuer: rule for rule in rules}
        self._verified = VerifiedTokens()

    async def verify(self, token: str) -> Caller:
        """The token's holder.

        Raises:
            NotAuthenticated: not a token, expired, not for us, or not signed by an issuer that we trust.
        """
        caller = self._verified.find(token)
        if caller is not None:
            return caller
        try:
            issuer, header = unverified(token)
            source = self._issuers.get(issuer)
            key = await source.find_key(header.get("kid")) if source else None
            if key is None:
                raise NotAuthenticated("unknown issuer or key")
            rules = self._rules.get(issuer) or TokenIssuer(issuer)
            claims = _claims(token, key, rules)
            caller = _holder(claims, rules)
            self._verified.keep(token, caller, float(claims["exp"]))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotAuthenticated("the token cannot be verified") from error
        return caller


def unverified(token: str) -> tuple[str, dict[str, Any]]:
    """Issuer and header of a token, only to find the key that shall verify them.

    Raises:
        jwt.PyJWTError, ValueError, TypeError: it is no token.
    """
    claims = jwt.decode(token, options={"verify_signature": False})
    return str(claims.get("iss")), jwt.get_unverified_header(token)


def _claims(token: str, key: jwt.PyJWK, rules: TokenIssuer) -> dict[str, Any]:
    return jwt.decode(
        token,
        key.key,
        algorithms=list(rules.algorithms),
        issuer=rules.issuer,
        audience=rules.audience or None,
        leeway=CLOCK_SKEW,
        options={"require": ["exp", "iss"], "verify_aud": bool(rules.audience)},
    )


def _holder(claims: Mapping[str, Any], rules: TokenIssuer) -> Caller:
    scope = next((claims[name] for name in rules.scope_claims if name in claims), None)
    return Caller(owner=_owner(claims, rules), scopes=_scopes(scope))


def _owner(claims: Mapping[str, Any], rules: TokenIssuer) -> str | None:
    """The claim that names it, or who it is by our own list."""
    named = claims.get(rules.org_claim)
    if isinstance(named, str) and named:
        return named
    known = (rules.orgs.get(name) for name in _names(claims) if isinstance(name, str))
    return next((owner for owner in known if owner), None)


def _names(claims: Mapping[str, Any]) -> list[object]:
    """Client id and organisation number; Maskinporten's `consumer` writes the latter as `0192:991825827`."""
    consumer = claims.get("consumer")
    number = consumer.get("ID") if isinstance(consumer, dict) else None
    return [
        claims.get("client_id"),
        claims.get("azp"),
        claims.get("urn:altinn:orgNumber"),
        number.rpartition(":")[2] if isinstance(number, str) else None,
    ]


def _scopes(claim: object) -> frozenset[str]:
    """One string of scopes apart by spaces (RFC 8693 section 4.2), or a list of them."""
    words = claim if isinstance(claim, list) else [claim]
    return frozenset(scope for word in words if isinstance(word, str) for scope in word.split(" ") if scope)
