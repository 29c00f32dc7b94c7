"""Compose the message: what is the same for all recipients of an order once, what is each one's own on top."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from uuid import UUID

import idna

from varsel.notifications.mime import alternatives, header, mailbox_header, text_part
from varsel.notifications.plain_text import plain_text_of

# What may stand beside the @ without quotes, in ASCII or beyond (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
_UNQUOTED = re.compile(r"[^\s\x00-\x20\x7f-\xa0<>()\[\],;:\\\"@\u2028\u2029]+")
_QUOTED_PAIR = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Content:
    """What an order says, as stored; every recipient's message is dated like the order."""

    subject: str
    body: str
    is_html: bool
    from_address: str
    placed_at: datetime


def render(content: Content) -> bytes:
    """The message without the headers that are each recipient's own (RFC 5322).

    It depends on nothing but the content, so a second attempt is the same message to the byte.
    """
    name, address = split_mailbox(content.from_address)
    return b"".join(
        [
            mailbox_header("From", name, envelope_address(address) or address),
            header("Subject", content.subject),
            f"Date: {format_datetime(content.placed_at)}\r\n".encode("ascii"),
            b"Auto-Submitted: auto-generated\r\n",  # RFC 3834 section 5: nobody's robot need answer
            b"X-Auto-Response-Suppress: All\r\n",  # the same for Exchange
            b"MIME-Version: 1.0\r\n",
            _html_body(content.body) if content.is_html else text_part(content.body, "plain"),
        ]
    )


def address_to(rendered: bytes, recipient: str, message_id: str) -> bytes:
    """The whole message for one recipient, whose address is in its envelope form."""
    return f"To: {recipient}\r\nMessage-ID: {message_id}\r\n".encode() + rendered


def message_id(notification_id: UUID, domain: str) -> str:
    """Fixed before the first attempt: every attempt, and every report about one, carries the same."""
    return f"<{notification_id}@{domain}>"


def envelope_address(address: str) -> str | None:
    """The address as SMTP takes it: the domain in A-labels (RFC 5890), the local part as it is (RFC 5321).

    None where no mail server could take it: the envelope is a line of a protocol, so spaces, angle brackets and
    control characters end here at the latest.
    """
    local_part, _, domain = address.strip().rpartition("@")
    if not address.strip().isprintable() or not _UNQUOTED.fullmatch(local_part) or not _UNQUOTED.fullmatch(domain):
        return None
    try:
        # Not checked further: an underscore in a domain is the relay's to judge.
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None
    return f"{local_part}@{ascii_domain}"


def split_mailbox(mailbox: str) -> tuple[str, str]:
    """Display name and address of `Etaten <post@etat.no>` or of `post@etat.no`."""
    name, bracket, rest = mailbox.strip().rpartition("<")
    if not bracket:
        return "", mailbox.strip()
    name = name.strip()
    if len(name) > 1 and name.startswith('"') and name.endswith('"'):
        name = _QUOTED_PAIR.sub(r"\1", name[1:-1])  # RFC 5322 section 3.2.4
    return name, rest.removesuffix(">").strip()


def _html_body(html: str) -> bytes:
    # A content cannot hold its own hash, so the boundary cannot stand in the parts.
    boundary = f"=_{sha256(html.encode('utf-8')).hexdigest()[:40]}"
    return alternatives(boundary, text_part(plain_text_of(html), "plain"), text_part(html, "html"))
