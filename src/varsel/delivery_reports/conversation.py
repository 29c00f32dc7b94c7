"""SMTP and LMTP as the report listener speaks them: aiosmtpd's, but for the message itself.

A report to an address that we signed must never be refused for good, whatever it is like. aiosmtpd answers a large
mail, or a long line, with 5yz, and keeps an object a line; here the beginning is kept and the rest read past.
"""

import asyncio
from typing import cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

KEPT_LIMIT = 10 * 1024 * 1024  # bytes; we ask relays for headers only (RET=HDRS), so reports are a few kB
COMMAND_LIMIT = 64 * 1024  # bytes that wait to be read before the other side has to
AT_ONCE = 1024 * 1024  # bytes; more than ever waits
END = b"\r\n.\r\n"


class SmtpConversation(SMTP):
    """RFC 5321. Its handler counts the connections."""

    line_length_limit = COMMAND_LIMIT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self.event_handler.connections += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count it no more."""
        self.event_handler.connections -= 1
        super().connection_lost(error)

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
