"""Altinn's token exchange in development mode: an access token of our Maskinporten becomes an Altinn token."""

import secrets
from collections.abc import Mapping
from datetime import timedelta

from varsel.auth.development_issuer import AUTHORITY, TEST_ORG, DevelopmentIssuer
from varsel.auth.maskinporten import Maskinporten
from varsel.errors import NotAuthenticated

LIFETIME = timedelta(minutes=30)
OWNER_SCOPE = "altinn:serviceowner"  # every scope of service owners begins with it
AGENCY = "digdir"  # Altinn's own agency, which acts as the test department on request
_REPLACED = frozenset({"iss", "aud", "exp", "iat", "nbf", "client_amr", "sid"})


def exchange(maskinporten: Maskinporten, issuer: DevelopmentIssuer, token: str, *, agency_is_test_org: bool) -> str:
    """The Altinn token for an access token: its claims, and what Altinn knows of the organisation.

    Raises:
        NotAuthenticated: not a token of our Maskinporten, or one that names no organisation.
    """
    claims = maskinporten.verify(token)
    number = _org_number(claims.get("consumer"))
    org = _org(maskinporten, claims, number)
    if agency_is_test_org and org == AGENCY:
        org = TEST_ORG
    # What Altinn says itself nobody else may say for it.
    kept = {name: claim for name, claim in claims.items() if name not in _REPLACED and not name.startswith("urn:")}
    return issuer.altinn_token({**kept, "sid": secrets.token_hex(16)}, org=org, org_number=number, lifetime=LIFETIME)


def _org_number(consumer: object) -> str:
    if isinstance(consumer, dict) and consumer.get("authority") == AUTHORITY:
        _, _, number = str(consumer.get("ID")).partition(":")
        if number:
            return number
    raise NotAuthenticated("the token's consumer is no organisation")


def _org(maskinporten: Maskinporten, claims: Mapping[str, object], number: str) -> str | None:
    """The service owner: only for its scopes, and only where the number is that of the client we know."""
    client = maskinporten.clients.get(str(claims.get("client_id")))
    is_theirs = client is not None and client.org_number == number
    return client.org if client and is_theirs and OWNER_SCOPE in str(claims.get("scope")) else None
