"""The relay that takes everything and keeps nothing: smtp-sink, and smtp-source as the yardstick of who feeds it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.chaos_fleet import free_ports
from bench.tool import Tool, find_tool

START_LIMIT = 10.0  # seconds
BACKLOG = "256"
SESSIONS = 8  # of smtp-source; the product opens as many connections


@dataclass(frozen=True, slots=True)
class Sink:
    """A running smtp-sink."""

    port: int
    pid: int


@contextmanager
def sink(*, lmtp: bool = False) -> Iterator[Sink]:
    """Run one for as long as the block does."""
    [port] = free_ports(1)
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    options = [*user, *(["-L"] if lmtp else [])]
    command: list[str | Path] = [find_tool("smtp-sink"), *options, f"127.0.0.1:{port}", BACKLOG]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield Sink(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_for_port(port: int) -> None:
    """Wait until somebody listens there.

    Raises:
        RuntimeError: nobody does.
    """
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens on port {port}")


def source_rate(port: int, mails: int, message: Path, *, lmtp: bool = False) -> float:
    """Mails a second that smtp-source hands over on connections that it keeps."""
    options = ["-d", "-s", str(SESSIONS), "-m", str(mails), *(["-L"] if lmtp else [])]
    envelope = ["-f", "noreply@etaten.no", "-t", "mottaker@innbygger.no", "-F", str(message)]
    # Whatever it takes belongs to the yardstick.
    done = Tool([find_tool("smtp-source"), *options, *envelope, f"127.0.0.1:{port}"]).wait(may_take_a_core=True)
    return mails / done.seconds
