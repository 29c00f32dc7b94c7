"""An application behind the real HTTP server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from varsel.api.routing import Application
from varsel.api.server import HttpServer


@asynccontextmanager
async def served(application: Application, stop: asyncio.Event | None = None) -> AsyncIterator[int]:
    """Serve it on a free port, which is yielded, for as long as the block lasts or until `stop` is set."""
    http, stop = HttpServer(application), stop or asyncio.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = asyncio.create_task(http.run_until(stop, listener))
        await http.wait_until_started()
        yield listener.getsockname()[1]
        stop.set()
        await running
