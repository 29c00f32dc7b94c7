"""The HTTP server: uvicorn, with the bounds that it lacks and without its hold on signals."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BACKLOG = 2048  # connections that wait to be accepted
GOODBYE = 2  # seconds for the answers under way when we stop
HEAD_LIMIT = 512 * 1024  # bytes read while the head of a request is not complete; tokens are a few kB
HEAD_TIMEOUT = 30.0  # seconds from the first byte, or the connection, to the end of the head


class _BoundedProtocol(HttpToolsProtocol):
    """Gives up a client whose request line and headers are endless, or do not come."""

    _head_size = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_timer is not None:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self.send_400_response("The head of the request is too large")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_expecting()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._stop_expecting()
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self._give_up)

    def _stop_expecting(self) -> None:
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.close()


class HttpServer(uvicorn.Server):
    """Answers requests until the service stops; signals are the service's, which has more to stop than this."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
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
