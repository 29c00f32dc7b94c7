"""A small SMTP server whose every answer a handler decides: the sandbox's own, or a scripted relay in tests.

It exists because the servers at hand refuse the parameters of RFC 3461 and offer no pipelining: the two
things that a client of a real relay most needs to be tried with.
"""

import asyncio
from collections.abc import Collection
from typing import Self

import structlog

from varsel.sandbox.handler import DROP, Answer, Drop, Envelope, Handler, Recipient, Reply
from varsel.sandbox.smtp_commands import EXTENSIONS
from varsel.sandbox.smtp_session import Limits, SmtpSession
from varsel.sandbox.smtp_wire import SmtpWire

__all__ = [
    "DROP",
    "EXTENSIONS",
    "Answer",
    "Drop",
    "Envelope",
    "Handler",
    "Limits",
    "Recipient",
    "Reply",
    "SmtpServer",
]

LIMITS = Limits()
BACKLOG = 1_024  # connections that may wait to be taken: a client may open hundreds at once

log = structlog.get_logger(__name__)


class SmtpServer:
    """Listens on `host` and `port`; 0 takes a free port, which `port` tells once the server has started."""

    def __init__(
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        extensions: Collection[str] = EXTENSIONS,
        limits: Limits = LIMITS,
    ) -> None:
        self.port = port
        self._handler = handler
        self._host = host
        self._extensions = extensions
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._is_open = False

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken, or not ours to take.
        """
        self._is_open = True
        self._server = await asyncio.start_server(self._admit, self._host, self.port, backlog=BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection; who is waiting for an answer gets none."""
        if self._server is None:
            return
        self._is_open = False
        self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:  # accepted just before the port was closed
            writer.transport.abort()
            return
        # A task of our own: those that asyncio makes for a coroutine cannot be awaited when the server stops.
        session = asyncio.create_task(self._serve(reader, writer))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = SmtpWire(reader, writer, idle=self._limits.idle.total_seconds())
        try:
            await SmtpSession(wire, self._handler, extensions=self._extensions, limits=self._limits).converse()
        except TimeoutError:
            wire.write(Reply(421, "4.4.2 Idle for too long"))
        except (EOFError, ConnectionError):
            pass  # the client is gone, which is its right at any time
        except Exception:
            log.exception("smtp session failed")
        finally:
            await wire.close()
