"""Whose bearer tokens we take, and how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from pydantic import ConfigDict

# Signatures that a public key verifies. Never `none`, never HMAC: with that a public key would be the secret.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Somebody whose bearer tokens we take, and how they are read."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    issuer: str  # the exact `iss`
    jwks_url: str | None = None  # where its keys are; absent: by discovery
    discovery_url: str | None = None  # absent: below the issuer, as OpenID Connect Discovery has it
    audience: tuple[str, ...] = ()  # one of these must be in `aud`; none: `aud` is not looked at
    algorithms: tuple[Algorithm, ...] = ALGORITHMS
    scope_claims: tuple[str, ...] = ("urn:altinn:scope", "scope")  # the first that is there counts
    org_claim: str = "urn:altinn:org"  # holds the service owner's short name
    # For issuers that know no such claim: from client id or organisation number to the service owner's short name.
    orgs: Mapping[str, str] = field(default_factory=dict)
