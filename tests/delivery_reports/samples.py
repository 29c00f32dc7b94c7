"""Delivery reports to try the reader with: the shape of real ones, with every part exchangeable."""

from base64 import encodebytes

MAIL_FIELDS = b"Reporting-MTA: dns; mx.etat.test\r\nOriginal-Envelope-Id: n-1\r\nX-Postfix-Queue-ID: 4F0A\r\n"
NOTE = b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis is the mail system at host mx.etat.test.\r\n\r\n"
HEADERS = b"--B\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: Hei\r\nAction: failed\r\n--B--\r\n"


def recipient_fields(
    action: str = "failed", status: str = "5.1.1", diagnostic: str = "smtp; 550 5.1.1 User unknown"
) -> bytes:
    """The block of fields about one recipient; what is empty is left out."""
    fields = {"Action": action, "Status": status, "Diagnostic-Code": diagnostic}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value]
    return b"Final-Recipient: rfc822; kari@etat.test\r\n" + "".join(lines).encode()


def new_dsn(
    *blocks: bytes, subtype: str = "delivery-status", encoding: str = "", mail_fields: bytes = MAIL_FIELDS
) -> bytes:
    """A report as Postfix sends it, with these blocks about its recipients."""
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
        + HEADERS
    )
