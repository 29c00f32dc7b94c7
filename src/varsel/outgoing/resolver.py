"""Looks names up in threads of our own, which nobody waits for at the end.

The event loop resolves four names at a time, for our relay and database as well, and does not close before the last of
them is through. A name server that says nothing takes ten seconds, and whose it is decides the owner of an order.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread

AT_ONCE = 64  # as many as a worker has orders in hand: so names of one owner hold up no other's


class Resolver:
    """A bounded number of look-ups at a time."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Its addresses, the nearest first; raises OSError or UnicodeError where it has none."""
        await self._room.acquire()
        found: Future[Sequence[str]] = Future()
        found.set_running_or_notify_cancel()  # who gives up does not end the look-up, which keeps its place
        loop = asyncio.get_running_loop()
        try:
            Thread(target=self._look_up, args=(host, port, found, loop), name="resolver", daemon=True).start()
        except RuntimeError as error:
            self._room.release()
            raise OSError("the system has no thread left") from error
        return await asyncio.wrap_future(found)

    def _look_up(self, host: str, port: int, found: "Future[Sequence[str]]", loop: asyncio.AbstractEventLoop) -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result(list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except Exception as error:  # the top of a thread: all is told to whoever waits
            found.set_exception(error)
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(self._room.release)
