"""A relay that says exactly what it is told to, for what a well-behaved server never says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from varsel.mail_server import MailServer, StartTls
from varsel.relay import Relay
from varsel.transports.smtp import Notify, SmtpTransport
from varsel.transports.transport import Mail

LIMIT = 5.0  # seconds; a bound for a machine under load, not a measure
NOTIFY: tuple[Notify, ...] = ("success", "failure", "delay")
EHLO = "250-relay.test\r\n"
TOO_MANY = "421 4.7.0 Too many connections"

# What each command is answered; "." is the final dot, "" the greeting, "334" what follows a challenge.
TAKES_EVERYTHING = {
    "": "220 relay.test ESMTP",
    "EHLO": f"{EHLO}250 DSN",
    "DATA": "354 Go on",
    "AUTH": "235 2.7.0 Welcome",
    "334": "235 2.7.0 Welcome",
    "QUIT": "221 2.0.0 Bye",
}


class RawRelay:
    """Answers each command as scripted, else with 250; bytes are sent as they are, None is silence.

    With `tls`, a STARTTLS that is answered 220 is followed by TLS. Who comes while it talks with `room` others is
    told 421.
    """

    def __init__(
        self,
        replies: Mapping[str, str | bytes | None],
        *,
        tls: ssl.SSLContext | None = None,
        room: int | None = None,
    ) -> None:
        self.port = 0
        self.lines: list[bytes] = []  # everything it was told, the messages too
        self.in_clear: list[bytes] = []  # what of it came without TLS
        self.connections = 0
        self.open = 0  # connections that neither side has closed
        self.most_open = 0  # that it talked with at the same time
        self.refused = 0
        self.messages = 0
        self.replies = {**TAKES_EVERYTHING, **replies}
        self.gate = asyncio.Event()  # holds every answer to a final dot while it is closed
        self.gate.set()
        self._tls = tls
        self.room = room
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Condition()

    @property
    def commands(self) -> list[str]:
        """The verbs that it was told, messages and garbage left out."""
        words = [line.split(b" ")[0].strip().decode("latin-1").upper() for line in self.lines]
        return [word for word in words if word.isascii() and word.isalpha()]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what it has seen is as wanted."""
        async with asyncio.timeout(LIMIT), self._changed:
            await self._changed.wait_for(holds)

    async def until_closed(self) -> None:
        """Wait for the other side to close every connection."""
        await self.until(lambda: self.connections > 0 and self.open == 0)

    async def until_messages(self, count: int) -> None:
        """Wait until so many messages came to their final dot."""
        await self.until(lambda: self.messages >= count)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        if self.room is not None and self.open >= self.room:
            self.refused += 1
            writer.write(f"{TOO_MANY}\r\n".encode())
            writer.close()
            return
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await self._tell()
        with suppress(ConnectionError, ssl.SSLError):  # which is the client's right
            self._say(writer, "")
            await self._converse(reader, writer)
        writer.close()
        self.open -= 1
        await self._tell()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await self._hear(reader, writer):
            verb = line.split(b" ")[0].strip().decode("latin-1").upper()
            reply = str(self._say(writer, verb))
            if verb == "STARTTLS" and self._tls is not None and reply.startswith("220"):
                await writer.start_tls(self._tls)
            if verb == "AUTH" and reply.startswith("334"):
                await self._hear(reader, writer)
                self._say(writer, "334")
            if verb == "DATA" and reply.startswith("354"):
                while await self._hear(reader, writer) not in (b".\r\n", b""):
                    pass
                await self._at_the_dot(writer)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        line = await reader.readline()
        self.lines.append(line)
        if writer.get_extra_info("sslcontext") is None:
            self.in_clear.append(line)
        await self._tell()
        return line

    async def _at_the_dot(self, writer: asyncio.StreamWriter) -> None:
        self.messages += 1
        await self._tell()
        await self.gate.wait()
        self._say(writer, ".")

    def _say(self, writer: asyncio.StreamWriter, verb: str) -> str | bytes | None:
        reply = self.replies.get(verb, "250 2.0.0 Ok")
        if reply is not None:
            writer.write(reply if isinstance(reply, bytes) else f"{reply}\r\n".encode())
        return reply

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def raw_relay(
    replies: Mapping[str, str | bytes | None] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    smtps: ssl.SSLContext | None = None,
    room: int | None = None,
) -> AsyncIterator[RawRelay]:
    relay = RawRelay(replies or {}, tls=tls, room=room)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0, ssl=smtps)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.close()


@asynccontextmanager
async def transport_to(
    port: int,
    *,
    credentials: tuple[str, str] | None = None,
    starttls: StartTls = "never",
    connections: int = 2,
    mails_a_connection: int = 1_000,
) -> AsyncIterator[SmtpTransport]:
    username, password = credentials or (None, None)
    server = MailServer("smtp", "127.0.0.1", port, username, password, starttls)
    relay = Relay(server, connections=connections, mails_a_connection=mails_a_connection)
    transport = SmtpTransport(relay, notify=NOTIFY)
    try:
        async with asyncio.timeout(LIMIT):
            yield transport
    finally:
        await transport.close()


def new_mail(recipient_address: str = "kari@sandbox.test", envelope_id: str = "n-1") -> Mail:
    message = f"To: {recipient_address}\r\nSubject: Hei, unloggable\r\n\r\n.Hei!\r\n".encode()
    return Mail("b+1@bounce.test", recipient_address, envelope_id, message)
