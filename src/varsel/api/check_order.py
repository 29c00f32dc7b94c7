"""Check what was read, and make it an order: the contract's rules, with its keys and messages.

Two stages that never mix: what the original's framework finds missing comes first and alone, then every rule speaks,
so that one answer names all that is wrong.
"""

import re
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from msgspec import UnsetType

from varsel.api.check_recipients import ERRORS_LIMIT, Reasons, check_recipients
from varsel.api.read_body import body_is_missing
from varsel.api.wire import EmailOrderRequest, EmailTemplateRequest, OrderRequest, RecipientRequest
from varsel.email_address import is_deliverable
from varsel.errors import InvalidOrder
from varsel.notifications.compose import split_mailbox
from varsel.orders.order import Channel, ContentType, EmailTemplate, NewOrder, Recipient

EARLIEST = timedelta(minutes=5)  # so long ago a send time may be, for clocks that differ

_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)
_TOO_FINE = re.compile(r"(\.\d{6})\d+", re.ASCII)
_PUBLIC_HOST = re.compile(r"[A-Za-z0-9.-]+\.[A-Za-z]{2,}", re.ASCII)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# What no header may hold and no reader would miss: C0, DEL, C1, and Unicode's own line and paragraph breaks.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

NOT_BUILT = "Varsel does not support this notification channel yet. Use Email."


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What our own settings add to the contract's rules."""

    default_from: str  # From of mails whose order names none
    internal_domains: Set[str] = frozenset()  # domains that recipients may have though the internet knows none


def email_order(request: EmailOrderRequest, owner: str, house: HouseRules) -> NewOrder:
    """The order that a body of `POST /orders/email` asks for.

    Raises:
        InvalidOrder: names everything that is wrong.
    """
    send_time = _send_time(request)
    _require(Recipients=request.recipients, Subject=_text(request.subject), Body=_text(request.body))
    template = EmailTemplateRequest("", request.subject, request.body, request.content_type)
    return _checked(request, send_time, Channel.EMAIL, template, owner, house)


def order(request: OrderRequest, owner: str, house: HouseRules) -> NewOrder:
    """The order that a body of `POST /orders` asks for.

    Raises:
        InvalidOrder: names everything that is wrong.
    """
    send_time = _send_time(request)
    template = request.email_template or EmailTemplateRequest()
    _require(
        **{
            "Recipients": request.recipients,
            "EmailTemplate.FromAddress": template.from_address,
            "EmailTemplate.Subject": template.subject,
            "EmailTemplate.Body": template.body,
        }
    )
    return _checked(request, send_time, request.notification_channel, request.email_template, owner, house)


def _require(**members: object) -> None:
    """The first stage: members that must not be null."""
    missing = [key for key, value in members.items() if value is None]
    if missing:
        raise InvalidOrder({key: [f"The {key.rpartition('.')[2]} field is required."] for key in missing})


def _text(text: str | None) -> str | None:
    return text if text and text.strip() else None


def _checked(
    request: EmailOrderRequest | OrderRequest,
    send_time: datetime,
    channel: Channel | None,
    template: EmailTemplateRequest | None,
    owner: str,
    house: HouseRules,
) -> NewOrder:
    """The second stage: every rule speaks."""
    reasons: Reasons = defaultdict(list)
    _check_send_time(send_time, reasons)
    _check_condition_endpoint(request.condition_endpoint, reasons)
    _check_resource(request.resource_id, request.resource_action, reasons)
    _check_channel(channel, reasons)
    _check_template(template, channel, reasons)
    check_recipients(request.recipients or [], house.internal_domains, reasons)
    if reasons or channel is None or template is None:
        raise InvalidOrder(_first(reasons))
    keeps_mobile_number = isinstance(request, OrderRequest)  # the other one has no use for it
    return NewOrder(
        owner=owner,
        channel=channel,
        recipients=[_recipient(recipient, keeps_mobile_number) for recipient in request.recipients or []],
        template=_template(template, house.default_from),
        requested_send_time=send_time.astimezone(UTC),
        senders_reference=request.senders_reference,
        ignore_reservation=request.ignore_reservation,
        resource_id=request.resource_id,
        resource_action=request.resource_action,
        condition_endpoint=request.condition_endpoint,
    )


def _send_time(request: EmailOrderRequest | OrderRequest) -> datetime:
    """When to send, with or without a time zone; a text that is no time ends the first stage, alone."""
    text = request.requested_send_time
    if isinstance(text, UnsetType):
        return datetime.now(UTC)
    try:
        if not _TIMESTAMP.fullmatch(text):
            raise ValueError(text)
        # Python keeps microseconds; the further digits that real clients send are dropped.
        moment = datetime.fromisoformat(_TOO_FINE.sub(r"\1", text))
        # UTC must be within the calendar too: the first hour of the year 1 in Oslo is the year 0 in UTC.
        moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = "The JSON value could not be converted to a date and time. Path: $.requestedSendTime."
        raise InvalidOrder({"$.requestedSendTime": [message], **body_is_missing(type(request))}) from error
    return moment


def _check_send_time(moment: datetime, reasons: Reasons) -> None:
    if moment.tzinfo is None:
        reasons["RequestedSendTime"].append("The requested send time value must have specified a time zone.")
        moment = moment.replace(tzinfo=UTC)
    if moment < datetime.now(UTC) - EARLIEST:
        reasons["RequestedSendTime"].append("Send time must be in the future. Leave blank to send immediately.")


def _check_condition_endpoint(url: str | None, reasons: Reasons) -> None:
    if url is None:
        return
    try:
        # urlsplit drops line breaks and tabs silently; what is stored and asked later must be what was checked.
        parts = urlsplit("" if _CONTROL.search(url) else url)
        is_valid = parts.scheme in ("http", "https") and bool(_PUBLIC_HOST.fullmatch(parts.hostname or ""))
        _ = parts.port  # a port that is no number is found out only when asked for
    except ValueError:
        is_valid = False
    if not is_valid:
        reasons["ConditionEndpoint"].append("The condition endpoint must be a valid URL.")


def _check_resource(resource_id: str | None, action: str | None, reasons: Reasons) -> None:
    if not action:
        return
    if not (resource_id or "").strip():
        reasons["ResourceAction"].append("ResourceAction cannot be specified without a ResourceId.")
    elif not action.strip():
        reasons["ResourceAction"].append("ResourceAction cannot be blank or whitespace.")


def _check_channel(channel: Channel | None, reasons: Reasons) -> None:
    if channel is None:
        reasons["NotificationChannel"].append("A notification channel must be defined.")
    elif channel is not Channel.EMAIL:
        reasons["NotificationChannel"].append(NOT_BUILT)


def _check_template(template: EmailTemplateRequest | None, channel: Channel | None, reasons: Reasons) -> None:
    if template is None:
        if channel in (Channel.EMAIL, Channel.EMAIL_PREFERRED, Channel.SMS_PREFERRED):
            reasons["EmailTemplate"].append("An email template is required for the selected notification channel.")
        return
    if not (template.body or "").strip():
        reasons["EmailTemplate.Body"].append("The email template body must not be empty.")
    if not (template.subject or "").strip():
        reasons["EmailTemplate.Subject"].append("The email template subject must not be empty.")
    if template.from_address and not _is_mailbox(template.from_address):
        reasons["EmailTemplate.FromAddress"].append("Invalid email address format.")


def _is_mailbox(text: str) -> bool:
    """An address, alone or in angle brackets behind a name: anything else could not be written as From."""
    name, address = split_mailbox(text)
    return not _CONTROL.search(text) and "<" not in name and is_deliverable(address)


def _first(reasons: Reasons) -> dict[str, list[str]]:
    return dict(list(reasons.items())[:ERRORS_LIMIT])


def _recipient(recipient: RecipientRequest, keeps_mobile_number: bool) -> Recipient:
    return Recipient(
        email_address=recipient.email_address,
        mobile_number=recipient.mobile_number if keeps_mobile_number else None,
        organization_number=recipient.organization_number,
        national_identity_number=recipient.national_identity_number,
    )


def _template(template: EmailTemplateRequest, default_from: str) -> EmailTemplate:
    return EmailTemplate(
        subject=_CONTROL.sub(" ", _LINE_BREAK.sub(" ", template.subject or "")),
        body=template.body or "",
        content_type=template.content_type or ContentType.PLAIN,
        from_address=template.from_address or default_from,
    )
