"""The endpoints of development mode: test tokens under the paths real clients ask, and the sandbox's mails."""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from varsel.api.app import resource
from varsel.api.problems import empty, json
from varsel.api.wire import SandboxMessage, timestamp
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.sandbox.mailbox import Mailbox, ReceivedMessage

DEFAULT_LIFETIME = timedelta(seconds=1800)
LONGEST_LIFETIME = timedelta(days=365)


def development_routes(issuer: DevelopmentIssuer, mailbox: Mailbox | None) -> Sequence[BaseRoute]:
    """The routes of development mode; without a mailbox (a relay of your own is set) there are no mails to show."""
    discovery_path = urlsplit(issuer.issuer).path + ".well-known/openid-configuration"

    async def get_discovery(request: Request) -> Response:
        return json(issuer.discovery())

    async def get_keys(request: Request) -> Response:
        return json(issuer.jwks())

    async def get_enterprise_token(request: Request) -> Response:
        """A token for any `org`; `env` and whatever else the original's tool takes is accepted and ignored."""
        query = request.query_params
        seconds = query.get("ttl", "")
        lifetime = timedelta(seconds=int(seconds)) if _is_number(seconds) else DEFAULT_LIFETIME
        token = issuer.token(
            scopes=query.get("scopes", CREATE_SCOPE).replace(",", " ").split(),
            lifetime=min(lifetime, LONGEST_LIFETIME),
            org=query.get("org"),
            org_number=query.get("orgNo", "991825827"),
        )
        return PlainTextResponse(token)

    async def get_messages(request: Request) -> Response:
        """What the sandbox received, newest first."""
        return json([_listed(message) for message in mailbox.newest()] if mailbox else [])

    async def get_message(request: Request) -> Response:
        """One mail exactly as it came, readable in a browser."""
        message = mailbox.find(request.path_params["id"]) if mailbox else None
        return PlainTextResponse(message.content) if message else empty(404)

    return (
        resource(discovery_path, GET=get_discovery),
        resource(f"{discovery_path}/jwks", GET=get_keys),
        resource("/api/GetEnterpriseToken", GET=get_enterprise_token),
        resource("/sandbox/messages", GET=get_messages),
        resource("/sandbox/messages/{id}", GET=get_message),
    )


def _listed(message: ReceivedMessage) -> SandboxMessage:
    return SandboxMessage(
        id=message.id,
        received_at=timestamp(message.received_at),
        return_path=message.envelope.sender,
        recipients=[recipient.address for recipient in message.envelope.recipients],
        sender=message.header("From"),
        subject=message.header("Subject"),
        size=len(message.content),
        raw=f"/sandbox/messages/{message.id}",
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
