"""Delivery reports to try the reader with: the shape of real ones, with every part exchangeable."""

from base64 import encodebytes

MAIL_FIELDS = b"Reporting-MTA: dns; mx.etat.test\r\nOriginal-Envelope-Id: n-1\r\nX-Postfix-Queue-ID: 4F0A\r\n"
NOTE = b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis is the mail system at host mx.etat.test.\r\n\r\n"
HEADERS = (
    b"--B\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    b"Subject: Hei\r\nThread-Topic: Hei, unloggable\r\nAction: failed\r\n--B--\r\n"
)


def recipient_fields(
    action: str = "failed", status: str = "5.1.1", diagnostic: str = "smtp; 550 5.1.1 User unknown"
) -> bytes:
    """The block of fields about one recipient; what is empty is left out."""
    fields = {"Action": action, "Status": status, "Diagnostic-Code": diagnostic}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value]
    return b"Final-Recipient: rfc822; kari@etat.test\r\n" + "".join(lines).encode()


def new_dsn(
    *blocks: bytes,
    subtype: str = "delivery-status",
    encoding: str = "",
    mail_fields: bytes = MAIL_FIELDS,
    enclosed: bytes = b"",
) -> bytes:
    """A report as Postfix sends it, with these blocks about its recipients, and more fields of the mail enclosed."""
    status = b"\r\n".join([mail_fields, *blocks])
    if encoding == "base64":
        status = encodebytes(status).replace(b"\n", b"\r\n")
    headers = f"Content-Type: message/{subtype}\r\n"
    headers += f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    return (
        b"From: MAILER-DAEMON@mx.etat.test\r\nTo: b+1@bounce.test\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n\r\n'
        + NOTE
        + b"--B\r\n"
        + headers.encode()
        + b"\r\n"
        + status
        + b"\r\n"
        + HEADERS.replace(b"Subject:", enclosed + b"Subject:")
    )


def new_bounce(
    text: str,
    *,
    subject: str = "Mail delivery failed: returning message to sender",
    sender: str = "Mail Delivery System <MAILER-DAEMON@mx.etat.test>",
    headers: str = "",
    charset: str = "utf-8",
) -> bytes:
    """A report as servers wrote it before there was a standard, and as many still do."""
    head = f"From: {sender}\nTo: b+1@bounce.test\nSubject: {subject}\n{headers}"
    head += f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    return head.encode() + text.encode(charset)


def new_complaint(
    fields: str = "Feedback-Type: abuse\nOriginal-Rcpt-To: <kari@etat.test>\n",
    *,
    enclosed: str = "Return-Path: <b+7.x@bounce.test>\nMessage-ID: <n-7@etat.test>\n",
) -> bytes:
    """A complaint in the standard's form, with the header of the mail that is complained of."""
    return (
        b"From: feedback@provider.test\nTo: b+1@bounce.test\nSubject: FW: Hei, unloggable\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="F"\n\n'
        b"--F\nContent-Type: text/plain\n\nThis is spam: user unknown, mailbox full.\n"
        b"--F\nContent-Type: message/feedback-report\n\n" + fields.encode() + b"\n"
        b"--F\nContent-Type: message/rfc822\n\n"
        + enclosed.encode()
        + b"To: Kari <kari@etat.test>\nSubject: Hei, unloggable\n\nHei, unloggable\n--F--\n"
    )


def new_answer(*, subject: str = "Re: Hei, unloggable", headers: str = "", text: str = "Back on Monday.") -> bytes:
    """What a mail program answers for somebody who is away."""
    return f"From: Kari <kari@etat.test>\nTo: b+1@bounce.test\nSubject: {subject}\n{headers}\n{text}\n".encode()
