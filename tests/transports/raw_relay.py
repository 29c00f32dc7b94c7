"""A relay that says exactly what it is told to, for what a well-behaved server never says."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from varsel.mail_server import MailServer, StartTls
from varsel.transports.smtp import Notify, SmtpTransport
from varsel.transports.transport import Mail

LIMIT = 5.0  # seconds; a bound for a machine under load, not a measure
NOTIFY: tuple[Notify, ...] = ("success", "failure", "delay")
EHLO = "250-relay.test\r\n"

# What each command is answered; "." is the final dot, "" the greeting.
TAKES_EVERYTHING = {
    "": "220 relay.test ESMTP",
    "EHLO": f"{EHLO}250 DSN",
    "DATA": "354 Go on",
    "AUTH": "235 2.7.0 Welcome",
    "QUIT": "221 2.0.0 Bye",
}


class RawRelay:
    """Answers each command as scripted, else with 250; bytes are sent as they are, None is silence."""

    def __init__(self, replies: Mapping[str, str | bytes | None]) -> None:
        self.port = 0
        self.lines: list[bytes] = []  # everything it was told, the messages too
        self.connections = 0
        self.open = 0  # connections that neither side has closed
        self._replies = {**TAKES_EVERYTHING, **replies}
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Condition()

    @property
    def commands(self) -> list[str]:
        """The verbs that it was told, messages and garbage left out."""
        words = [line.split(b" ")[0].strip().decode("latin-1").upper() for line in self.lines]
        return [word for word in words if word.isascii() and word.isalpha()]

    async def until_closed(self) -> None:
        """Wait for the other side to close every connection."""
        async with asyncio.timeout(LIMIT), self._changed:
            await self._changed.wait_for(lambda: self.connections > 0 and self.open == 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        try:
            self._say(writer, "")
            await self._converse(reader, writer)
        except ConnectionError:
            pass  # which is the client's right
        finally:
            writer.close()
            async with self._changed:
                self.open -= 1
                self._changed.notify_all()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.lines.append(line)
            verb = line.split(b" ")[0].strip().decode("latin-1").upper()
            self._say(writer, verb)
            if verb == "DATA" and str(self._replies["DATA"]).startswith("354"):
                while (line := await reader.readline()) not in (b".\r\n", b""):
                    self.lines.append(line)
                self._say(writer, ".")

    def _say(self, writer: asyncio.StreamWriter, verb: str) -> None:
        reply = self._replies.get(verb, "250 2.0.0 Ok")
        if reply is not None:
            writer.write(reply if isinstance(reply, bytes) else f"{reply}\r\n".encode())

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def raw_relay(replies: Mapping[str, str | bytes | None] | None = None) -> AsyncIterator[RawRelay]:
    relay = RawRelay(replies or {})
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.close()


@asynccontextmanager
async def transport_to(
    port: int, *, credentials: tuple[str, str] | None = None, starttls: StartTls = "never", connections: int = 2
) -> AsyncIterator[SmtpTransport]:
    username, password = credentials or (None, None)
    server = MailServer("smtp", "127.0.0.1", port, username, password, starttls)
    transport = SmtpTransport(server, connections=connections, notify=NOTIFY)
    try:
        async with asyncio.timeout(LIMIT):
            yield transport
    finally:
        await transport.close()


def new_mail(recipient_address: str = "kari@sandbox.test", envelope_id: str = "n-1") -> Mail:
    message = f"To: {recipient_address}\r\nSubject: Hei\r\n\r\n.Hei!\r\n".encode()
    return Mail("b+1@bounce.test", recipient_address, envelope_id, message)
