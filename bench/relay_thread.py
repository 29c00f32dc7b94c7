"""A relay in a thread of its own, for a service that is another process and may be killed at any moment."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from varsel.sandbox.handler import Handler
from varsel.sandbox.smtp_server import SmtpServer


@contextmanager
def relay_thread(relay: Handler) -> Iterator[int]:
    """Run the relay for as long as the block does; yields its port on 127.0.0.1."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    server = SmtpServer(relay)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
