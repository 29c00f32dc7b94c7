"""The PostgreSQL of the kill test: durable, ours alone, and killed or stopped as a whole or in part."""

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

import asyncpg

from varsel.database.embedded.supervisor import EmbeddedPostgres

CONNECTIONS = 100  # those of killed services may linger for a moment
END_LIMIT = 10.0  # seconds
ANSWER_LIMIT = 60.0  # seconds; recovery takes one or two


class Database:
    """A server on a folder of its own; all but `dsn` from the main thread, as `EmbeddedPostgres` demands."""

    def __init__(self, folder: Path) -> None:
        binaries = os.environ.get("VARSEL_PG_BIN")
        self._folder = folder
        self._binaries = Path(binaries) if binaries else None
        self._server = self._new_server()

    @property
    def dsn(self) -> str:
        """The same after every restart."""
        return self._server.dsn

    def start(self) -> None:
        """Start it, or start it again; it answers when this returns."""
        # The one before still holds the lock of the folder, though nothing of its server is left.
        self._server.stop()
        self._server = self._new_server()
        self._server.start()

    def stop(self) -> None:
        """End it, in whatever state it is."""
        with suppress(OSError, ValueError):
            self.thaw()
        self._server.stop()

    def kill_postmaster(self) -> None:
        """SIGKILL for the first process: the others notice, each in its own time."""
        postmaster = self._postmaster()
        os.kill(postmaster, signal.SIGKILL)
        _until_gone([postmaster])

    def kill_all(self) -> None:
        """SIGKILL for every process at one moment, as when the machine loses its power (but for the disk's cache)."""
        self.freeze()  # else the first process clears up after the others, or makes new ones
        processes = self._processes()
        _signal(processes, signal.SIGKILL)
        _until_gone(processes)

    def kill_backend(self, random: Random) -> None:
        """SIGKILL for one process of many, as the kernel does where memory ends: the server throws everybody out."""
        _signal([random.choice(self._processes()[1:])], signal.SIGKILL)

    def freeze(self) -> None:
        """Let it stand still: no connection is lost, no answer comes."""
        _signal([self._postmaster()], signal.SIGSTOP)  # first, so that no more children come
        _signal(self._processes(), signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        _signal(self._processes(), signal.SIGCONT)

    def wait_until_it_answers(self) -> None:
        """Wait for a server that recovers by itself.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + ANSWER_LIMIT
        while not asyncio.run(_answers(self.dsn)):
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL does not come back")
            time.sleep(0.05)

    def claims(self) -> str:
        """How often orders were claimed; each claim beyond the orders was given back, or lost."""
        claims, orders = asyncio.run(_claims(self.dsn))
        return f"{claims} of {orders} orders"

    def _new_server(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self._folder, binaries=self._binaries, max_connections=CONNECTIONS)

    def _postmaster(self) -> int:
        [file] = self._folder.glob("postgres/data-*/postmaster.pid")
        return int(file.read_text().splitlines()[0])

    def _processes(self) -> list[int]:
        """Postmaster first."""
        postmaster = self._postmaster()
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _until_gone(processes: Iterable[int]) -> None:
    deadline = time.monotonic() + END_LIMIT
    while any(_runs(process) for process in processes):
        if time.monotonic() > deadline:
            raise TimeoutError("a killed process of PostgreSQL does not end")
        time.sleep(0.005)


def _runs(process: int) -> bool:
    """False for a zombie too, which waits for its parent only."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


async def _answers(dsn: str) -> bool:
    try:
        conn = await asyncpg.connect(dsn, timeout=5)
        await conn.close(timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return False
    return True


async def _claims(dsn: str) -> tuple[int, int]:
    conn = await asyncpg.connect(dsn, timeout=5)
    try:
        row = await conn.fetchrow("SELECT sum(attempt), count(*) FROM orders WHERE attempt > 0")
        assert row is not None
        return row[0] or 0, row[1]
    finally:
        await conn.close(timeout=5)
