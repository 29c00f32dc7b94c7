"""A relay that notes when it answered the final dot of each mail, and who stands behind it.

A process of its own, so that it shares no interpreter with those whose time it takes:

    python -m bench.clock_relay

It prints its port; a line on its stdin makes it print a line of JSON, the seconds by recipient address; the end of its
stdin ends it. The clock is CLOCK_MONOTONIC, which all processes share.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvloop

from varsel.sandbox.handler import Answer, Envelope, Handler
from varsel.sandbox.smtp_server import SmtpServer


class ClockRelay(Handler):
    """Takes every mail."""

    def __init__(self) -> None:
        self.taken_at: dict[str, float] = {}

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.taken_at[envelope.recipients[0].address] = time.perf_counter()
        return None


class RunningClockRelay:
    """The process, as the one sees it that started it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.pid = process.pid
        self.port = int(self._stdout.readline())

    def taken_at(self) -> Mapping[str, float]:
        """By recipient address the moment of the 250, for everything so far."""
        self._stdin.write("\n")
        self._stdin.flush()
        times: dict[str, float] = json.loads(self._stdout.readline())
        return times


@contextmanager
def clock_relay() -> Iterator[RunningClockRelay]:
    """Run one for as long as the block does."""
    command = [sys.executable, "-m", "bench.clock_relay"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield RunningClockRelay(process)
        finally:
            process.kill()


async def _serve() -> None:
    relay = ClockRelay()
    commands = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(commands)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    async with SmtpServer(relay) as server:
        print(server.port, flush=True)
        while await commands.readline():
            print(json.dumps(relay.taken_at), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
