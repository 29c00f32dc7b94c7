"""A relay that the test plays itself, line by line: for what depends on who says what before whom."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.transports.raw_relay import LIMIT

PIPELINING = ("PIPELINING", "DSN")
OK, GO_ON, TAKEN = "250 2.1.0 Ok", "354 Go on", "250 2.0.0 Ok: queued"


class Talk:
    """One connection, from the relay's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def hear(self) -> str:
        """The next line without its end; "" where the other side has closed."""
        async with asyncio.timeout(LIMIT):
            return (await self._reader.readline()).decode().rstrip("\r\n")

    async def hear_envelope(self) -> str:
        """MAIL, RCPT and DATA, whoever they are for; returns the RCPT."""
        lines = [await self.hear() for _ in range(3)]
        assert [line[:4] for line in lines] == ["MAIL", "RCPT", "DATA"]
        return lines[1]

    async def hear_message(self) -> list[str]:
        """The lines up to the final dot."""
        lines: list[str] = []
        while (line := await self.hear()) != ".":
            assert line or lines, "the other side has closed"
            lines.append(line)
        return lines

    async def hear_the_rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(LIMIT):
            return await self._reader.read()

    async def take_mail(self, reply: str = TAKEN) -> str:
        """A whole transaction of a client that pipelines; returns its RCPT."""
        recipient = await self.hear_envelope()
        self.say(OK, OK, GO_ON)
        await self.hear_message()
        self.say(reply)
        return recipient

    def say(self, *replies: str) -> None:
        """Say these replies in one write."""
        self._writer.write("".join(f"{reply}\r\n" for reply in replies).encode())

    async def say_by_bytes(self, *replies: str) -> None:
        """Say these replies byte by byte, each in a write of its own."""
        for byte in "".join(f"{reply}\r\n" for reply in replies).encode():
            self._writer.write(bytes([byte]))
            await self._writer.drain()

    def hang_up(self) -> None:
        """Close, after all that was said."""
        self._writer.close()


class PlayedRelay:
    """Where clients call; each call is picked up by the test."""

    def __init__(self, extensions: Sequence[str]) -> None:
        self.port = 0
        self.calls = 0
        self._extensions = extensions
        self._calls: asyncio.Queue[Talk] = asyncio.Queue()

    async def called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        self._calls.put_nowait(Talk(reader, writer))

    async def pick_up(self) -> Talk:
        """The next connection, greeted."""
        async with asyncio.timeout(LIMIT):
            talk = await self._calls.get()
        talk.say("220 relay.test ESMTP")
        assert (await talk.hear()).startswith("EHLO ")
        *first, last = ["relay.test", *self._extensions]
        talk.say(*(f"250-{word}" for word in first), f"250 {last}")
        return talk


@asynccontextmanager
async def played_relay(extensions: Sequence[str] = PIPELINING) -> AsyncIterator[PlayedRelay]:
    relay = PlayedRelay(extensions)
    talks: list[asyncio.StreamWriter] = []

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(writer)
        await relay.called(reader, writer)

    server = await asyncio.start_server(called, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for writer in talks:
            writer.transport.abort()


async def settle() -> None:
    """Let everybody who can go on do so, without a clock."""
    for _ in range(20):
        await asyncio.sleep(0)
