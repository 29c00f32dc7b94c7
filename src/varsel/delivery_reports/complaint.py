"""Recognise complaints: a recipient's "this is spam" (RFC 5965), which says that the mail was delivered.

Providers hide who complained; the quoted mail's header then still tells which mail it was.
"""

import re
from dataclasses import dataclass

from varsel.delivery_reports.addresses import address_in
from varsel.delivery_reports.parts import Mail, Part, read_fields
from varsel.delivery_reports.quoted_mail import quoted_headers

RECIPIENTS_LIMIT = 100
_RECIPIENT = re.compile(rb"^(?:original-rcpt-to|removal-recipient|redacted-address)[ \t]*:([^\n]{1,1000})", re.I | re.M)
# What Hotmail added to the mail that it sent back, before there was a standard.
_HOTMAIL_RECIPIENT = "x-hmxmroriginalrecipient"
_NO_COMPLAINTS = ("not-spam",)


@dataclass(frozen=True, slots=True)
class Complaint:
    """Who complained, as far as the report says so."""

    recipients: tuple[str, ...]
    feedback: str  # abuse, fraud, opt-out…; "" where it is not told
    return_path: str | None = None

    @property
    def is_praise(self) -> bool:
        """Whether it says the contrary: the recipient took the mail out of the junk folder."""
        return self.feedback in _NO_COMPLAINTS


def complaint_in(mail: Mail) -> Complaint | None:
    """The complaint, None where the mail is none."""
    for part in mail.parts:
        if part.content_type == "message/feedback-report":
            return _read(part)
    if "report-type=feedback-report" in mail.fields.get("content-type", "")[:500].lower().replace('"', ""):
        return Complaint((), "")  # its fields are lost
    for head in quoted_headers(mail, ""):
        recipient = address_in(head.get(_HOTMAIL_RECIPIENT, ""))
        if recipient:
            return Complaint((recipient,), "")
    return None


def _read(part: Part) -> Complaint:
    fields = read_fields(part.body)
    found = [match.decode("utf-8", "replace").replace("\0", "") for match in _RECIPIENT.findall(part.body)]
    recipients = dict.fromkeys(address for address in map(address_in, found[:RECIPIENTS_LIMIT]) if address)
    return Complaint(
        tuple(recipients),
        fields.get("feedback-type", "")[:40].lower(),
        address_in(fields.get("original-mail-from", "")),
    )
