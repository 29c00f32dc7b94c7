"""A web server that answers byte for byte what a test has put under a target, and remembers what it was asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LEAVE_LIMIT = 2.0  # seconds for a client that has what it wants, or wants no more

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]  # by names in lower case
    body: bytes


@dataclass
class WebServer:
    """Set `answers` to what is said, or done, where a target is asked for, `otherwise` to what is said elsewhere."""

    scheme: str = "http"
    port: int = 0
    answers: dict[str, bytes | Play] = field(default_factory=dict)
    otherwise: bytes = field(default_factory=lambda: http_answer(404))
    asked: list[Asked] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)  # as TLS clients named us
    connections: int = 0  # so far
    _open: int = 0
    _was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    _nobody_is_here: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        return [asked.target for asked in self.asked]

    async def wait_until_left(self) -> None:
        """Until no connection is open any more.

        Raises:
            TimeoutError: somebody keeps one.
        """
        async with asyncio.timeout(LEAVE_LIMIT):
            await self._nobody_is_here.wait()

    async def wait_until_asked(self) -> None:
        """Until the first request has come."""
        async with asyncio.timeout(LEAVE_LIMIT):
            await self._was_asked.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, then close."""
        self.connections += 1
        self._open += 1
        self._nobody_is_here.clear()
        try:
            asked = await _read_request(reader)
            self.asked.append(asked)
            self._was_asked.set()
            answer = self.answers.get(asked.target, self.otherwise)
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            writer.close()
            self._open -= 1
            if not self._open:
                self._nobody_is_here.set()


@asynccontextmanager
async def web_server(
    tls: ssl.SSLContext | None = None, *, host: str | Sequence[str] = "127.0.0.1", port: int = 0
) -> AsyncIterator[WebServer]:
    """A server on a free port of this machine, with no answers yet; at the end everybody must have left."""
    web = WebServer("https" if tls else "http")
    web._nobody_is_here.set()
    if tls:
        tls.sni_callback = lambda _connection, name, _context: web.server_names.append(name)
    server = await asyncio.start_server(web.serve, host, port, ssl=tls)
    web.port = server.sockets[0].getsockname()[1]
    async with server:
        yield web
        await web.wait_until_left()


def http_answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An answer that ends the connection; of a header's name `_` is a hyphen."""
    told = {"Content-Length": str(len(body)), "Connection": "close"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def redirect(location: str, status: int = 302) -> bytes:
    """An answer that points elsewhere."""
    return http_answer(status, Location=location)


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Wait until the client has left."""
    await reader.read()


async def _read_request(reader: asyncio.StreamReader) -> Asked:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _version = head.split(" ")
    pairs = [line.partition(": ") for line in lines if line]
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)
