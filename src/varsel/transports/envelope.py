"""The envelope and the message of one mail, as they go over the wire."""

import re
from dataclasses import dataclass
from typing import Self

from varsel.transports.transport import Mail

_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_PLAIN_XTEXT = re.compile(r"[!-*,-<>-~]*", re.ASCII)  # what xtext leaves as it is
# A line of a protocol: no space, no angle bracket and no control character may stand in an address.
_ONE_WORD = re.compile(r"[^\x00-\x20\x7f<>]+")


@dataclass(frozen=True, slots=True)
class Envelope:
    """MAIL, RCPT and DATA (RFC 5321 section 3.3), each with its line end."""

    commands: list[bytes]
    needs_utf8: bool  # SMTPUTF8 (RFC 6531)

    @classmethod
    def of(cls, mail: Mail, notify: str, *, offers_dsn: bool) -> Self:
        """The commands for one mail; parameters of RFC 3461 only where they are understood.

        Raises:
            ValueError: an address cannot be written in a command.
        """
        if not _ONE_WORD.fullmatch(mail.recipient_address) or not _ONE_WORD.fullmatch(mail.return_path):
            raise ValueError("an address that cannot be written in a command")
        is_ascii = mail.recipient_address.isascii()
        needs_utf8 = not is_ascii or not mail.message[: mail.message.find(b"\r\n\r\n")].isascii()
        sender, recipient = f"MAIL FROM:<{mail.return_path}>", f"RCPT TO:<{mail.recipient_address}>"
        if needs_utf8:
            sender += " SMTPUTF8 BODY=8BITMIME"
        if offers_dsn:
            sender += f" RET=HDRS ENVID={_xtext(mail.envelope_id)}"
            recipient += f" NOTIFY={notify}"
            recipient += f" ORCPT=rfc822;{_xtext(mail.recipient_address)}" if is_ascii else ""
        return cls([f"{sender}\r\n".encode(), f"{recipient}\r\n".encode(), b"DATA\r\n"], needs_utf8)


def data_of(message: bytes) -> bytes:
    """What follows a 354 (RFC 5321 section 4.5.2): line ends CRLF, leading dots doubled, then the final dot."""
    ends = message.count(b"\r\n")
    if ends != message.count(b"\n") or ends != message.count(b"\r"):
        message = _LINE_END.sub(b"\r\n", message)
    if b"\n." in message or message.startswith(b"."):
        message = _LEADING_DOT.sub(b"..", message)
    return message + (b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")


def _xtext(text: str) -> str:
    """RFC 3461 section 4: `+`, `=` and whatever is not printable ASCII as `+` and two hexadecimal digits."""
    if _PLAIN_XTEXT.fullmatch(text):
        return text
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
