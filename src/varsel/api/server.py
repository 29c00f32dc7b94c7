"""The HTTP server: uvicorn, with the bounds that it lacks and without its hold on signals."""

import asyncio
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

BACKLOG = 2048  # connections that wait to be accepted
GOODBYE = 2  # seconds for the answers under way when we stop
HEAD_LIMIT = 512 * 1024  # bytes read while the head of a request is not complete; tokens are a few kB
HEAD_TIMEOUT = 30.0  # seconds from the first byte, or the connection, to the end of the head


class _OneWrite:
    """A transport that writes once a turn of the event loop what it is given in pieces.

    An answer has two, head and body, and a write is a system call: more than a tenth of what an answer costs.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._pieces: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write it, soon."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Close the connection once all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._transport.write(b"".join(pieces))


class _BoundedProtocol(HttpToolsProtocol):
    """Gives up a client whose request line and headers are endless, or do not come."""

    _head_size = 0
    _head_due_at = math.inf  # of the loop's clock
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(_OneWrite(transport))  # type: ignore[arg-type]
        self._expect_head()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_due_at != math.inf:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self.send_400_response("The head of the request is too large")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._head_due_at = math.inf
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._head_size, self._head_due_at = 0, self.loop.time() + HEAD_TIMEOUT

    def _look(self) -> None:
        """Now and then: a timer for each request would cost more than all its headers."""
        cycle: RequestResponseCycle | None = self.cycle  # as uvicorn has it, whatever it declares
        is_answering = cycle is not None and not cycle.response_complete
        if self.loop.time() >= self._head_due_at and not is_answering:
            self.transport.close()
            return
        self._watch = self.loop.call_later(HEAD_TIMEOUT / 10, self._look)


class HttpServer(uvicorn.Server):
    """Answers requests until the service stops; signals are the service's, which has more to stop than this."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nothing depends on where a request comes from
                backlog=BACKLOG,
                timeout_graceful_shutdown=GOODBYE,
            )
        )
        self._has_started = asyncio.Event()

    async def run_until(self, stop: asyncio.Event, listener: socket.socket) -> None:
        """Accept connections until `stop` is set; then finish the answers under way."""
        serving = asyncio.create_task(self.serve(sockets=[listener]), name="accept connections")
        serving.add_done_callback(lambda _: self._has_started.set())
        serving.add_done_callback(lambda _: stop.set())
        await stop.wait()
        self.should_exit = True
        await serving

    async def wait_until_started(self) -> None:
        """Return once connections are accepted."""
        await self._has_started.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for connections, and say so."""
        await super().startup(sockets)
        self._has_started.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not."""
        yield
