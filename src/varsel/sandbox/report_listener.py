"""A client of a few lines for the listener that takes the reports: LMTP (RFC 2033) or SMTP, in the clear.

One connection carries one report after the other. Every trouble with it is an OSError: whoever has the report
keeps it and tries again.
"""

import asyncio
import re
from collections.abc import Collection
from typing import Self

from varsel.mail_server import MailServer
from varsel.sandbox.handler import Reply

PATIENCE = 60.0  # seconds for one report: the listener answers the final dot only after its own commit
LINE = 4_096  # octets of a reply line; RFC 5321 section 4.5.3.1.5 allows 512
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})([ -]?)([^\r\n]*)\r?\n")


class ReportListener:
    """An open connection to the listener, ready for the next report."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, extensions: Collection[str]) -> None:
        self._reader = reader
        self._writer = writer
        self._extensions = extensions

    @classmethod
    async def connect(cls, server: MailServer) -> Self:
        """Connect and greet.

        Raises:
            OSError: nobody is there, or nobody that speaks with us.
        """
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(server.host, server.port, limit=LINE)
            listener = cls(reader, writer, ())
            try:
                greeting = await listener._reply()
                hello = await listener._command(f"{'LHLO' if server.scheme == 'lmtp' else 'EHLO'} sandbox.test")
                if not greeting.is_positive or not hello.is_positive:
                    raise ConnectionError(f"the listener greets with {greeting.code} and {hello.code}")
            except BaseException:
                writer.close()
                raise
        listener._extensions = {line.partition(" ")[0].upper() for line in hello.text.split("\n")[1:]}
        return listener

    async def hand_over(self, content: bytes, *, return_path: str, smtputf8: bool) -> Reply:
        """Give one report to the listener; the reply is that of the step at which the matter was decided.

        Raises:
            OSError: the connection is of no more use; the listener may have taken the report.
        """
        async with asyncio.timeout(PATIENCE):
            for command in (f"MAIL FROM:<>{self._parameters(smtputf8)}", f"RCPT TO:<{return_path}>", "DATA"):
                reply = await self._command(command)
                if not reply.is_positive:
                    await self._command("RSET")
                    return reply
            stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
            self._writer.write(stuffed + b".\r\n")
            await self._writer.drain()
            return await self._reply()

    async def close(self) -> None:
        """Say goodbye and do not wait for the answer."""
        self._writer.write(b"QUIT\r\n")
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except OSError:
            self._writer.transport.abort()

    def _parameters(self, smtputf8: bool) -> str:
        parameters = ["BODY=8BITMIME"] if "8BITMIME" in self._extensions else []
        if smtputf8 and "SMTPUTF8" in self._extensions:
            parameters.append("SMTPUTF8")
        return "".join(f" {parameter}" for parameter in parameters)

    async def _command(self, line: str) -> Reply:
        self._writer.write(f"{line}\r\n".encode())
        await self._writer.drain()
        return await self._reply()

    async def _reply(self) -> Reply:
        texts = []
        while True:
            try:
                line = await self._reader.readline()
            except ValueError as error:
                raise ConnectionError("the listener sends a line without an end") from error
            match = _REPLY_LINE.fullmatch(line)
            if match is None:
                raise ConnectionError("the listener closed the connection, or speaks no SMTP")
            texts.append(match[3].decode("utf-8", "replace"))
            if match[2] != b"-":
                return Reply(int(match[1]), "\n".join(texts))
