"""The web servers of the kill test: HTTP/1.1 as far as our own client speaks it, and the ways of giving no answer."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum

_LENGTH = re.compile(r"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


class Mood(StrEnum):
    """How a request is met; only the first two are answers."""

    ANSWERED = "answered"
    SLOW = "slow"  # answered after a while
    REFUSED = "503"
    CLOSED = "closed"  # the connection ends without a word
    CUT = "cut"  # it ends in the middle of the answer
    GARBLED = "garbled"  # 200, and nothing that could be read


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `is_cut`: the connection ends in the middle of it."""

    status: int
    content: bytes = b""
    is_cut: bool = False


def in_mood(mood: Mood, content: bytes) -> Reply | None:
    """What a request that asks for this content gets; None: the connection is closed."""
    match mood:
        case Mood.ANSWERED | Mood.SLOW:
            return Reply(200, content)
        case Mood.REFUSED:
            return Reply(503)
        case Mood.CLOSED:
            return None
        case Mood.CUT:
            return Reply(200, content, is_cut=True)
        case Mood.GARBLED:
            return Reply(200, b"<html>Vi er straks tilbake</html>")


class WebServer(AbstractAsyncContextManager["WebServer"]):
    """Answers on a port of this machine, connections kept; can be closed and opened again."""

    def __init__(self, port: int, reply_to: Callable[[Asked], Awaitable[Reply | None]]) -> None:
        self._port = port
        self._reply_to = reply_to
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.in_hand = 0  # requests whose answer is awaited

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._admit, "127.0.0.1", self._port)

    async def close(self) -> None:
        """Close the port and every connection, so that whoever asks is refused, and who waits gets no answer."""
        if self._server is None:
            return
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        self._server = None

    async def __aenter__(self) -> "WebServer":
        await self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: those that asyncio makes for a coroutine cannot be awaited when the server closes.
        talk = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            is_open = True
            while is_open:
                reply = await self._consider(await _read(reader))
                is_open = reply is not None and not reply.is_cut
                if reply is not None:
                    _write(reply, writer)
        except (EOFError, ConnectionError):
            pass  # the client is gone: killed, or tired of waiting
        finally:
            writer.close()

    async def _consider(self, asked: Asked) -> Reply | None:
        self.in_hand += 1
        try:
            return await self._reply_to(asked)
        finally:
            self.in_hand -= 1


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    length = _LENGTH.search(head)
    return Asked(head.split(" ", 2)[1], await reader.readexactly(int(length[1]) if length else 0))


def _write(reply: Reply, writer: asyncio.StreamWriter) -> None:
    head = (
        f"HTTP/1.1 {reply.status} -\r\nContent-Type: application/json\r\nContent-Length: {len(reply.content)}\r\n\r\n"
    )
    content = reply.content[: len(reply.content) // 2] if reply.is_cut else reply.content
    writer.write(head.encode() + content)
