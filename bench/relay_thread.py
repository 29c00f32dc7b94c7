"""A relay in a thread of its own, for a service that is another process and may be killed at any moment."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager

from varsel.sandbox.handler import Handler
from varsel.sandbox.smtp_server import SmtpServer


@contextmanager
def relay_thread(relay: Handler, *beside: AbstractAsyncContextManager[object]) -> Iterator[int]:
    """Run the relay, and what belongs `beside` it in its event loop, for as long as the block does; yields its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    server, stack = SmtpServer(relay), AsyncExitStack()
    try:
        asyncio.run_coroutine_threadsafe(_enter(stack, *beside, server), loop).result(10)
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _enter(stack: AsyncExitStack, *contexts: AbstractAsyncContextManager[object]) -> None:
    for context in contexts:
        await stack.enter_async_context(context)
