"""SMTP and LMTP as the report listener speaks them: aiosmtpd's, but for the message itself and what is slow.

A report to an address that we signed must never be refused for good, whatever it is like. aiosmtpd answers a large
mail, or a long line, with 5yz, and keeps an object a line; here the beginning is kept and the rest read past.

What a relay may send together (MAIL, RCPT and DATA) is answered together: RFC 2920.
"""

import asyncio
import re
from collections.abc import Awaitable
from typing import cast
from uuid import UUID

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope

KEPT_LIMIT = 10 * 1024 * 1024  # bytes; we ask relays for headers only (RET=HDRS), so reports are a few kB
COMMAND_LIMIT = 64 * 1024  # bytes that wait to be read before the other side has to
AT_ONCE = 1024 * 1024  # bytes; more than ever waits
END = b"\r\n.\r\n"

# What nearly every MAIL and RCPT has (RFC 5321 section 4.1.2), and what follows it.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PATH = re.compile(rf"<((?:{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)?)>((?: .*)?)")


class ReportEnvelope(Envelope):
    """RFC 5321 section 2.3.1, and what was read of it."""

    signed_for: UUID | None = None  # by the recipient, if that is a return path of ours


class SmtpConversation(SMTP):
    """RFC 5321. Its handler counts the connections."""

    line_length_limit = COMMAND_LIMIT
    _unsent = b""  # answers to commands that came together
    _is_gathering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self.event_handler.connections += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count it no more."""
        self.event_handler.connections -= 1
        super().connection_lost(error)

    def _create_envelope(self) -> ReportEnvelope:
        return ReportEnvelope()

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
        """Begin."""
        await self._gather(super().smtp_MAIL(arg))

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
        """Take a recipient."""
        await self._gather(super().smtp_RCPT(arg))

    async def _gather(self, answer: Awaitable[None]) -> None:
        self._is_gathering = True
        try:
            await answer
        finally:
            self._is_gathering = False

    async def push(self, status: str | bytes) -> None:
        """Answer; to MAIL and RCPT together with the next command, where that is there already."""
        self._unsent += (status.encode() if isinstance(status, str) else status) + b"\r\n"
        # asyncio shows in no other way what waits.
        if self._is_gathering and b"\n" in self._reader._buffer:  # type: ignore[attr-defined]
            return
        unsent, self._unsent = self._unsent, b""
        self._writer.write(unsent)
        await self._writer.drain()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # The standard library's parser takes ten times as long, even for "<>".
        path = _PATH.fullmatch(arg)
        return (path[1] or "<>", path[2].lstrip()) if path else super()._getaddr(arg)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
        """Take a message of any size (RFC 5321 section 4.1.1.4)."""
        if await self.check_helo_needed():
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        self.envelope.content = await self._message()
        status = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(status)

    async def _message(self) -> bytes:
        """The message without its dot-stuffing, cut off at KEPT_LIMIT; read to its end in any case."""
        kept = bytearray()
        # As if a line had just ended, so that a lone dot may be the first line and a stuffed one be told.
        waiting = b"\r\n"
        while (end := waiting.find(END)) < 0:
            safe = max(0, len(waiting) - len(END) + 1)
            kept += waiting[: min(safe, KEPT_LIMIT - len(kept))]
            waiting = waiting[safe:] + await self._more()
        kept += waiting[: min(end + 2, KEPT_LIMIT - len(kept))]
        # What follows is the next command, of a client that does not wait for our answer (RFC 2920).
        self._reader.feed_data(waiting[end + len(END) :])
        return bytes(kept).replace(b"\r\n.", b"\r\n")[2:]

    async def _more(self) -> bytes:
        more: bytes = await self._reader.read(AT_ONCE)
        if not more:
            raise ConnectionResetError
        return more


class LmtpConversation(SmtpConversation, LMTP):
    """RFC 2033."""


class Busy(asyncio.Protocol):
    """Answers a connection beyond the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the other side away until later."""
        writable = cast("asyncio.WriteTransport", transport)  # uvloop's is one, but no subclass
        writable.write(b"421 4.3.2 Too many connections, try again later\r\n")
        writable.close()
