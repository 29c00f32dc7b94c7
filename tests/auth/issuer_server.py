"""An issuer's web server: answers what a test has put under a path, and remembers what it was asked for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DISCOVERY_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/keys"


@dataclass
class IssuerServer:
    """Set `documents` to change what it answers; what it does not have is a 404."""

    url: str = ""
    documents: dict[str, object] = field(default_factory=dict)  # bytes as they are, else as JSON
    status: int = 200
    headers: str = ""
    asked: list[str] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)  # cleared: requests wait

    def publish(self, *keys: dict[str, object]) -> None:
        """Offer these keys, by way of discovery or directly."""
        self.documents[DISCOVERY_PATH] = {"issuer": self.url, "jwks_uri": f"{self.url}{KEYS_PATH}"}
        self.documents[KEYS_PATH] = {"keys": keys}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, then close."""
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        self.asked.append(path)
        self.was_asked.set()
        await self.may_answer.wait()
        document = self.documents.get(path)
        status = 404 if document is None else self.status
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{self.headers}\r\n"
        writer.write(head.encode() + body)
        try:
            await writer.drain()
        except ConnectionError:
            pass  # the client had read enough
        finally:
            writer.close()


@asynccontextmanager
async def issuer_server() -> AsyncIterator[IssuerServer]:
    """A server on a free port of this machine, with no documents yet."""
    issuer = IssuerServer()
    issuer.may_answer.set()
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield issuer
