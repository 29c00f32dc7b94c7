"""Altinn's endpoints for tokens in development mode, under the paths that real clients ask.

The exchange and its keys are where Altinn's platform has them, the rest where Altinn's test tool has it.
"""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from varsel.api.desk import bearer_token
from varsel.api.problems import empty, json
from varsel.api.routing import Resource, resource
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import TEST_ORG, TEST_ORG_NUMBER, DevelopmentIssuer, TokenHolder
from varsel.auth.exchange import exchange
from varsel.auth.maskinporten import Maskinporten
from varsel.outgoing.own_key import PLATFORM_LIFETIME

ENTERPRISE_LIFETIME = timedelta(seconds=1800)
LONGEST_LIFETIME = timedelta(days=365)
TEST_APP = "varsel-test"


def token_resources(issuer: DevelopmentIssuer, maskinporten: Maskinporten) -> Sequence[Resource]:
    """The resources of the exchange, of its keys, and of the test tool."""
    discovery_path = urlsplit(issuer.issuer).path + ".well-known/openid-configuration"

    async def get_discovery(request: Request) -> Response:
        return json(issuer.discovery())

    async def get_keys(request: Request) -> Response:
        return json(issuer.jwks())

    async def get_exchange(request: Request) -> Response:
        """The Altinn token for the access token in the request; `test=true` makes Altinn's agency the test org."""
        if request.path_params["provider"].lower() != "maskinporten":
            return PlainTextResponse("Only tokens of maskinporten can be exchanged here.", 400)
        if "X-Altinn-EnterpriseUser-Authentication" in request.headers:
            return empty(410)  # the enterprise users of Altinn 2 are gone
        is_test = request.query_params.get("test", "").lower() == "true"
        token = exchange(maskinporten, issuer, bearer_token(request), agency_is_test_org=is_test)
        return json(token) if _asks_for_json(request) else PlainTextResponse(token)

    return (
        resource(discovery_path, GET=get_discovery),
        resource(f"{discovery_path}/jwks", GET=get_keys),
        resource("/authentication/api/v1/exchange/{provider}", GET=get_exchange),
        *_test_tool_resources(issuer),
    )


def _test_tool_resources(issuer: DevelopmentIssuer) -> Sequence[Resource]:
    """Tokens for the asking; `env` and whatever else the original's tool takes is accepted and ignored."""

    async def get_enterprise_token(request: Request) -> Response:
        """A token for any `org`."""
        query = request.query_params
        holder = TokenHolder(
            org=query.get("org"),
            org_number=query.get("orgNo", TEST_ORG_NUMBER),
            client_id=query.get("clientId"),
            supplier_number=query.get("supplierOrgNo"),
            delegation_source=query.get("delegationSource"),
        )
        scopes = query.get("scopes", CREATE_SCOPE).replace(",", " ").split()
        lifetime = _lifetime(request, ENTERPRISE_LIFETIME)
        return PlainTextResponse(issuer.token_of(holder, scopes=scopes, lifetime=lifetime))

    async def get_platform_token(request: Request) -> Response:
        """A platform access token of any `org` and `app`."""
        query = request.query_params
        lifetime = _lifetime(request, PLATFORM_LIFETIME)
        return PlainTextResponse(
            issuer.platform_token(query.get("org") or TEST_ORG, query.get("app") or TEST_APP, lifetime)
        )

    return (
        resource("/api/GetEnterpriseToken", GET=get_enterprise_token),
        resource("/api/GetPlatformAccessToken", GET=get_platform_token),
    )


def _asks_for_json(request: Request) -> bool:
    """Whether JSON is asked for, and neither plain text first nor anything at all, which the original means by */*."""
    ranges = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    preferred = [media for media in ranges if media in ("application/json", "text/plain")]
    return "*/*" not in ranges and preferred[:1] == ["application/json"]


def _lifetime(request: Request, default: timedelta) -> timedelta:
    seconds = request.query_params.get("ttl", "")
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) < 10
    return min(timedelta(seconds=int(seconds)), LONGEST_LIFETIME) if is_number else default
