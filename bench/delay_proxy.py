"""A distant relay: a proxy that delays every byte, in each direction, and limits nothing.

A process of its own, so that it shares no interpreter with what is measured:

    python -m bench.delay_proxy --to PORT --milliseconds 5

It prints the port that it listens on, and runs until it is killed.
"""

import argparse
import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvloop

CHUNK = 262_144  # bytes


class Delayed:
    """One direction: what came in waits for its time, and nothing waits for what is before it to be sent."""

    def __init__(self, writer: asyncio.StreamWriter, seconds: float) -> None:
        self._writer = writer
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes]] = deque()

    def put(self, octets: bytes) -> None:
        """Send them, or with none close, when their time has come."""
        due = self._loop.time() + self._seconds
        self._waiting.append((due, octets))
        if len(self._waiting) == 1:
            self._loop.call_at(due, self._send_due)

    def _send_due(self) -> None:
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            octets = self._waiting.popleft()[1]
            if octets:
                self._writer.write(octets)
            else:
                self._writer.close()
        if self._waiting:
            self._loop.call_at(self._waiting[0][0], self._send_due)


async def _pass_on(reader: asyncio.StreamReader, way: Delayed) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(CHUNK):
            way.put(octets)
    way.put(b"")


async def _serve(to: int, seconds: float) -> None:
    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * seconds)  # the handshake is a round trip too
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(
            _pass_on(reader, Delayed(far_writer, seconds)), _pass_on(far_reader, Delayed(writer, seconds))
        )

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def delay_proxy(to: int, milliseconds: float) -> Iterator[tuple[int, int]]:
    """Run one for as long as the block does; yields its port and its process."""
    command = [sys.executable, "-m", "bench.delay_proxy", "--to", str(to), "--milliseconds", str(milliseconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--to", type=int, required=True, help="port that is made distant")
    parser.add_argument("--milliseconds", type=float, default=5.0, help="each way")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.to, options.milliseconds / 1000))


if __name__ == "__main__":
    main()
