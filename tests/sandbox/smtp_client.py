"""A client that sends exactly the bytes it is told to, for what a well-behaved client never does."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

Result = TypeVar("Result")
PATIENCE = 5.0  # seconds, of a whole test


def run(test: Coroutine[Any, Any, Result]) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(PATIENCE):
            return await test

    return asyncio.run(bounded())


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: str | bytes) -> None:
        self._writer.write(data.encode() if isinstance(data, str) else data)
        await self._writer.drain()

    async def reply(self) -> str:
        """The next reply with its lines joined by LF; empty when the server has closed the connection."""
        lines = []
        while True:
            line = (await self._reader.readline()).decode().removesuffix("\r\n")
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    async def replies_until_closed(self) -> list[str]:
        replies = []
        with suppress(ConnectionError):
            while reply := await self.reply():
                replies.append(reply)
        return replies

    async def ask(self, command: str) -> str:
        await self.send(f"{command}\r\n")
        return await self.reply()

    async def ask_all(self, *commands: str) -> list[str]:
        return [await self.ask(command) for command in commands]

    async def deliver(self, recipient: str, content: str = "Subject: x\r\n\r\nx\r\n", mail: str = "") -> str:
        """The reply to the final dot, or the first one before it that is negative, or empty."""
        for command in (f"MAIL FROM:<b+1@bounce.test>{mail}", f"RCPT TO:<{recipient}>", "DATA"):
            reply = await self.ask(command)
            if reply[:1] in ("4", "5", ""):
                return reply
        return await self.ask(f"{content}.")


@asynccontextmanager
async def connected(port: int, *, hello: str | None = "EHLO client.test") -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = RawClient(reader, writer)
    try:
        if hello:
            await client.reply()
            await client.ask(hello)
        yield client
    finally:
        writer.close()
        with suppress(ConnectionError):  # the server may have closed it first
            await writer.wait_closed()
