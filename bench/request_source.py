"""Open-loop HTTP load: a request at its time, whether or not the one before was answered.

A process of its own, which notes how late it was itself. On its stdin it takes an `Errand` as JSON, on its stdout it
gives a `Log`:

    python -m bench.request_source < errand.json
"""

import asyncio
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import httptools
import msgspec
import uvloop

from bench.request_log import Asked, Errand, Log

CONNECTIONS = 64
ANSWER_LIMIT = 60.0  # seconds for the last answers
IDLE_LIMIT = 3.0  # seconds; the product closes what is idle for five


class _Connection(asyncio.Protocol):
    """One request at a time; then it is idle again."""

    def __init__(self, source: "_Source") -> None:
        self._source = source
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: tuple[int, float, float] | None = None
        self._transport: asyncio.Transport | None = None
        self.used_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is no subclass
        self._transport = transport

    def ask(self, request: "_Request") -> None:
        assert self._transport is not None
        self._waiting = (request.number, request.due_at, request.asked_at)
        self._transport.write(request.octets)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._answered(self._parser.get_status_code())
        self._source.take_back(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None:
            self._answered(0)
        self._source.forget(self)

    def _answered(self, status: int) -> None:
        assert self._waiting is not None
        self.used_at = time.perf_counter()
        self._source.asked.append(Asked(*self._waiting, self.used_at, status))
        self._waiting = None
        self._parser = httptools.HttpResponseParser(self)


@dataclass(frozen=True, slots=True)
class _Request:
    """What waits for a connection."""

    number: int
    due_at: float
    asked_at: float
    octets: bytes


class _Source:
    """All connections, and what waits for one."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._idle: list[_Connection] = []  # the one used last is at the end, and is used next
        self._waiting: deque[_Request] = deque()
        self._open = 0
        self._opening: set[asyncio.Task[None]] = set()
        self.asked: list[Asked] = []

    async def run(self, stop: asyncio.Event) -> None:
        errand = self._errand
        began_at = time.perf_counter()
        count = 0
        while count < errand.seconds * errand.a_second and not stop.is_set():
            due_at = began_at + count / errand.a_second
            await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
            octets = f"{errand.before}{errand.first + count:012}{errand.after}".encode()
            self._ask(_Request(errand.first + count, due_at, time.perf_counter(), octets))
            count += 1
        deadline = time.perf_counter() + ANSWER_LIMIT
        while len(self.asked) < count and time.perf_counter() < deadline:  # noqa: ASYNC110  # an event a request costs more
            await asyncio.sleep(0.01)
        lost = count - len(self.asked)
        self.asked += [Asked(0, 0.0, 0.0, 0.0, 0)] * lost

    def _ask(self, request: _Request) -> None:
        while self._idle:
            connection = self._idle.pop()
            if time.perf_counter() - connection.used_at < IDLE_LIMIT:
                connection.ask(request)
                return
            connection.close()
        self._waiting.append(request)
        if self._open < CONNECTIONS:
            self._open += 1
            task = asyncio.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._errand.port)
        self.take_back(connection)

    def take_back(self, connection: _Connection) -> None:
        """A connection that is free."""
        if self._waiting:
            connection.ask(self._waiting.popleft())
        else:
            connection.used_at = time.perf_counter()
            self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """A connection that is gone."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)


async def _run(errand: Errand) -> Sequence[Asked]:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    source = _Source(errand)
    await source.run(stop)
    return source.asked


def main() -> None:
    """Run one errand."""
    errand = msgspec.json.decode(sys.stdin.buffer.read(), type=Errand)
    began_at, began_with = time.perf_counter(), time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        asked = runner.run(_run(errand))
    cores = (time.process_time() - began_with) / (time.perf_counter() - began_at)
    sys.stdout.buffer.write(msgspec.json.encode(Log(asked, cores)))


if __name__ == "__main__":
    main()
