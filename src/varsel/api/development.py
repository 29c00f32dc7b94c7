"""The endpoints of development mode: tokens, the registers that are played, and the sandbox's mails."""

from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from varsel.api.development_contacts import contact_resources
from varsel.api.development_decisions import decision_resources
from varsel.api.development_maskinporten import maskinporten_resources
from varsel.api.development_tokens import token_resources
from varsel.api.problems import empty, json
from varsel.api.routing import Resource, resource
from varsel.api.wire import SandboxMessage, timestamp
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.maskinporten import Maskinporten
from varsel.sandbox.contact_player import SLOW_LOOKUP
from varsel.sandbox.mailbox import Mailbox, ReceivedMessage


def development_resources(
    issuer: DevelopmentIssuer,
    maskinporten: Maskinporten,
    mailbox: Mailbox | None,
    slow_lookup: timedelta = SLOW_LOOKUP,
) -> Sequence[Resource]:
    """The resources of development mode; without a mailbox (a relay of your own is set) there are no mails to show."""

    async def get_messages(request: Request) -> Response:
        """What the sandbox received, newest first."""
        return json([_listed(message) for message in mailbox.newest()] if mailbox else [])

    async def get_message(request: Request) -> Response:
        """One mail exactly as it came, readable in a browser."""
        message = mailbox.find(request.path_params["id"]) if mailbox else None
        return PlainTextResponse(message.content) if message else empty(404)

    return (
        *maskinporten_resources(maskinporten),
        *token_resources(issuer, maskinporten),
        *contact_resources(slow_lookup),
        *decision_resources(),
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
