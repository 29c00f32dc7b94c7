"""Writes the reports that a real relay would send back: DSNs (RFC 3464, RFC 6533) and complaints (RFC 5965).

NOTIFY decides what is written (RFC 3461 section 4.1): `delivered` and `relayed` need SUCCESS, `delayed` needs
DELAY, `failed` needs FAILURE or no NOTIFY at all. Nothing is ever written to the null sender. Of the mail a report
carries only the headers, whatever RET says.

The same report written twice has the same Message-ID, as a relay's has that sends it again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime

from varsel.sandbox.fates import DOMAIN, Action, Complaint, Outcome, fate_of
from varsel.sandbox.handler import Envelope, Recipient
from varsel.sandbox.mailbox import ReceivedMessage

HEADERS_LIMIT = 32_768  # bytes of the mail's headers that a waiting report may hold on to
QUEUE_LIFETIME = timedelta(days=5)  # Postfix's default; only told, in Will-Retry-Until

_ASKED_BY = {
    Action.DELIVERED: "SUCCESS",
    Action.RELAYED: "SUCCESS",
    Action.DELAYED: "DELAY",
    Action.FAILED: "FAILURE",
}
_SUBJECTS = {
    Action.DELIVERED: "Successful Mail Delivery Report",
    Action.RELAYED: "Successful Mail Delivery Report",
    Action.DELAYED: "Delayed Mail (still being retried)",
    Action.FAILED: "Undelivered Mail Returned to Sender",
}
_NOTES = {
    Action.DELIVERED: "Your message was delivered.",
    Action.RELAYED: "Your message was handed to a server that may send no further reports.",
    Action.DELAYED: "Your message could not be delivered yet. You need not send it again.",
    Action.FAILED: "Your message could not be delivered, and will not be tried again.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be told of one recipient of one mail; `headers` are the mail's, or the first of them."""

    mail_id: str
    arrived_at: datetime
    envelope: Envelope
    headers: bytes
    position: int  # of the recipient in the envelope
    news: Outcome | Complaint

    @property
    def recipient(self) -> Recipient:
        """Whom the mail was for."""
        return self.envelope.recipients[self.position]

    @property
    def return_path(self) -> str:
        """Where the report goes."""
        return self.envelope.sender

    def write(self, *, written_at: datetime) -> bytes:
        """The report as a message."""
        if isinstance(self.news, Complaint):
            return _write_complaint(self, self.news, written_at)
        return _write_dsn(self, self.news, written_at)


def reports_on(message: ReceivedMessage) -> list[list[Report]]:
    """For each recipient of whom there is anything to tell: the reports in the order in which they come."""
    headers = _first_lines(message.headers)
    chains = [
        [
            Report(message.id, message.received_at, message.envelope, headers, position, news)
            for news in fate_of(recipient.address).reports
            if _is_asked_for(news, recipient.notify)
        ]
        for position, recipient in enumerate(message.envelope.recipients)
        if message.envelope.sender
    ]
    return [chain for chain in chains if chain]


def _is_asked_for(news: Outcome | Complaint, notify: frozenset[str]) -> bool:
    if isinstance(news, Complaint):
        return True
    return _ASKED_BY[news.action] in notify or (news.action is Action.FAILED and not notify)


def _first_lines(headers: bytes) -> bytes:
    return headers if len(headers) <= HEADERS_LIMIT else headers[: headers.rfind(b"\r\n", 0, HEADERS_LIMIT) + 2]


def _write_dsn(report: Report, outcome: Outcome, written_at: datetime) -> bytes:
    # The types of RFC 6533 for mail that came with SMTPUTF8, as its addresses may be in UTF-8.
    is_global = report.envelope.smtputf8
    note = f"This is the mail system at host {DOMAIN}.\n\n{_NOTES[outcome.action]}\n\n"
    note += f"<{report.recipient.address}>: {outcome.diagnostic.partition('; ')[2]}"
    status_type = "message/global-delivery-status" if is_global else "message/delivery-status"
    status = _block(_mail_fields(report)) + b"\r\n" + _block(_recipient_fields(report, outcome))
    headers_type = "message/global-headers" if is_global else "text/rfc822-headers"
    parts = [
        _part("text/plain; charset=utf-8", "Notification", note.replace("\n", "\r\n").encode() + b"\r\n"),
        _part(status_type, "Delivery report", status),
        _part(headers_type, "Message headers", _returned_headers(report)),
    ]
    return _report(report, outcome.action, "delivery-status", _SUBJECTS[outcome.action], written_at, parts)


def _mail_fields(report: Report) -> list[tuple[str, str | None]]:
    return [
        ("Reporting-MTA", f"dns; {DOMAIN}"),
        ("Original-Envelope-Id", report.envelope.envid),
        ("X-Sandbox-Queue-ID", report.mail_id),
        ("Arrival-Date", format_datetime(report.arrived_at)),
    ]


def _recipient_fields(report: Report, outcome: Outcome) -> list[tuple[str, str | None]]:
    recipient = report.recipient
    address_type = "utf-8" if report.envelope.smtputf8 else "rfc822"
    retried_until = report.arrived_at + QUEUE_LIFETIME if outcome.action is Action.DELAYED else None
    return [
        ("Final-Recipient", f"{address_type}; {recipient.address}"),
        ("Original-Recipient", recipient.orcpt),
        ("Action", outcome.action),
        ("Status", outcome.status),
        ("Remote-MTA", f"dns; mx.{DOMAIN}"),
        ("Diagnostic-Code", outcome.diagnostic),
        ("Will-Retry-Until", format_datetime(retried_until) if retried_until else None),
    ]


def _write_complaint(report: Report, complaint: Complaint, written_at: datetime) -> bytes:
    note = "This is an email abuse report for a message received by the mail system sandbox.test.\r\n"
    # No Original-Rcpt-To: most providers hide who complained, so the mail must be known by its return path.
    fields = _block(
        [
            ("Feedback-Type", complaint.feedback),
            ("User-Agent", "Varsel-Sandbox/1.0"),
            ("Version", "1"),
            ("Original-Envelope-Id", report.envelope.envid),
            ("Original-Mail-From", f"<{report.return_path}>"),
            ("Arrival-Date", format_datetime(report.arrived_at)),
            ("Reporting-MTA", f"dns; {DOMAIN}"),
        ]
    )
    parts = [
        _part("text/plain; charset=utf-8", "Notification", note.encode()),
        _part("message/feedback-report", "Feedback report", fields),
        _part("text/rfc822-headers", "Message headers", _returned_headers(report)),
    ]
    return _report(report, "complaint", "feedback-report", "Complaint about message", written_at, parts)


def _returned_headers(report: Report) -> bytes:
    return f"Return-Path: <{report.return_path}>\r\n".encode() + report.headers


def _report(
    report: Report, kind: str, report_type: str, subject: str, written_at: datetime, parts: list[bytes]
) -> bytes:
    # The id of the mail is random, so that nothing in the mail can hold the boundary.
    boundary = f"{report.mail_id}.{report.position}.{kind}/{DOMAIN}"
    head = _block(
        [
            ("Date", format_datetime(written_at)),
            ("From", f"Mail Delivery System <MAILER-DAEMON@{DOMAIN}>"),
            ("To", f"<{report.return_path}>"),
            ("Subject", subject),
            ("Message-ID", f"<{report.mail_id}.{report.position}.{kind}@{DOMAIN}>"),
            ("Auto-Submitted", "auto-replied"),
            ("MIME-Version", "1.0"),
            ("Content-Type", f'multipart/report; report-type={report_type};\r\n\tboundary="{boundary}"'),
        ]
    )
    is_eight_bit = not all(part.isascii() for part in parts)
    encoding = b"Content-Transfer-Encoding: 8bit\r\n" if is_eight_bit else b""
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(delimiter + part + b"\r\n" for part in parts)
    return head + encoding + b"\r\n" + body + f"--{boundary}--\r\n".encode()


def _part(content_type: str, description: str, content: bytes) -> bytes:
    encoding = None if content.isascii() else "8bit"
    head = [
        ("Content-Description", description),
        ("Content-Type", content_type),
        ("Content-Transfer-Encoding", encoding),
    ]
    return _block(head) + b"\r\n" + content


def _block(fields: list[tuple[str, str | None]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields if value is not None).encode()
