"""One client's connection: bounded lines and messages in, replies out.

Only CRLF ends a line (RFC 5321 section 2.3.8): a server that takes a bare LF for one hides the very mistake
that smuggling a second message is made of.

Replies are held back until there is nothing left to read, so that a group of pipelined commands is answered
with one write (RFC 2920 section 3.2).
"""

import asyncio
from enum import Enum

from varsel.sandbox.handler import Reply

CHUNK = 65_536  # bytes asked of the socket at a time
TEXT_LINE = 998  # octets without CRLF, RFC 5321 section 4.5.3.1.6
END_OF_MESSAGE = b"\r\n.\r\n"
CLOSING = 1.0  # seconds that the last reply may take to leave


class Excess(Enum):
    """What was longer than allowed; it has been read to its end and thrown away."""

    LINE = "line"
    MESSAGE = "message"


class SmtpWire:
    """Reads and writes for one session; every wait ends after `idle` seconds without anything to read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, idle: float) -> None:
        self._reader = reader
        self._writer = writer
        self._idle = idle
        self._received = bytearray()
        self._unsent: list[str] = []

    async def read_line(self, limit: int) -> bytes | Excess:
        """The next command without its CRLF.

        Raises:
            EOFError: the client has closed the connection.
            TimeoutError: the client was silent for too long.
        """
        searched, is_too_long = 0, False
        while (end := self._received.find(b"\r\n", searched)) < 0:
            if len(self._received) > limit:
                is_too_long = True
                del self._received[:-1]  # the last octet may be the CR of the end that we look for
            searched = max(0, len(self._received) - 1)
            await self._receive()
        line = bytes(self._received[:end])
        del self._received[: end + 2]
        return Excess.LINE if is_too_long or len(line) > limit else line

    async def read_message(self, limit: int) -> bytes | Excess:
        """What follows the 354, up to the final dot, with the dots of the transport taken away.

        Raises:
            EOFError: the client has closed the connection.
            TimeoutError: the client was silent for too long.
        """
        # The CRLF of the DATA command counts for finding dots at the start of a line, also the very first.
        self._received[:0] = b"\r\n"
        searched, is_too_large = 0, False
        while (end := self._received.find(END_OF_MESSAGE, searched)) < 0:
            if len(self._received) > limit + CHUNK:
                is_too_large = True
                del self._received[: 1 - len(END_OF_MESSAGE)]
            searched = max(0, len(self._received) + 1 - len(END_OF_MESSAGE))
            await self._receive()
        content = bytes(self._received[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        del self._received[: end + len(END_OF_MESSAGE)]
        if is_too_large or len(content) > limit:
            return Excess.MESSAGE
        return Excess.LINE if any(len(line) > TEXT_LINE for line in content.split(b"\r\n")) else content

    def write(self, reply: Reply) -> None:
        """Say this, at the latest before anything more is waited for."""
        self._unsent.append(f"{reply}\r\n")

    async def flush(self) -> None:
        """Send what has been said."""
        if self._unsent:
            self._writer.write("".join(self._unsent).encode())
            self._unsent.clear()
            await self._writer.drain()

    async def close(self) -> None:
        """End the connection, whatever state it is in; what has been said may still leave."""
        self._writer.write("".join(self._unsent).encode())
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSING):
                await self._writer.wait_closed()
        except OSError:  # a time-out is one too: the client reads no more
            self._writer.transport.abort()

    async def _receive(self) -> None:
        async with asyncio.timeout(self._idle):
            await self.flush()
            chunk = await self._reader.read(CHUNK)
        if not chunk:
            raise EOFError("the client closed the connection")
        self._received += chunk
