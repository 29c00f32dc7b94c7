"""PostgreSQL as a child of ours, shared by all varsel processes on the same data directory.

Rules:

* Who holds the lock of the folder owns the server. The server's processes hold it too, so it is free only when
  none of them is left, whatever ended them.
* The server ends with its owner, even if that is killed; a varsel process that is attached then takes over.
* The DSN depends on the root alone, so it stays true when the owner changes.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import SubprocessError
from types import MappingProxyType

import asyncpg
import structlog

from varsel.database.embedded.os_user import OsUser
from varsel.database.embedded.owner_lock import OwnerLock
from varsel.database.embedded.postgres_binaries import copy_binaries, find_binaries
from varsel.database.embedded.postgres_folder import PostgresFolder
from varsel.database.embedded.postgres_server import INITDB_LIMIT, READY_LIMIT, SUPERUSER, Cluster, Server, until
from varsel.errors import DatabaseUnavailable

ROLE = "varsel"  # no superuser: whoever abuses our statements must not reach files and programs
DATABASE = "varsel"
FREE_LIMIT = 10.0  # seconds for a server to end whose owner is gone; takes a tenth of one
START_LIMIT = INITDB_LIMIT + READY_LIMIT  # seconds that an owner may need
WATCH = 0.5  # seconds between two looks at the lock
CONNECT_LIMIT = 5.0  # seconds
RESTARTS = 5  # more than this
RESTARTS_WITHIN = 60.0  # seconds, and somebody has to look

# What a connection raises while the server ends or is not there. InternalClientError is what asyncpg makes of a
# statement that comes between the server's last words and the end of the connection.
UNUSABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """PostgreSQL as a child of ours (owner), or the one that another process on this root runs (attached).

    Start it before any event loop, keep `supervise` running in one, cancel that before you stop it.
    """

    def __init__(
        self,
        root: Path,
        *,
        binaries: Path | None = None,
        os_user: str | None = None,
        durable: bool = True,
        max_connections: int = 50,
        sizes: Mapping[str, str] = MappingProxyType({}),  # server settings beyond ours, such as shared_buffers
    ) -> None:
        self._folder = PostgresFolder(root.expanduser().resolve())
        self._given_binaries = binaries
        self._os_user = os_user
        self._durable = durable
        self._max_connections = max_connections
        self._sizes = sizes
        self._lock = OwnerLock(self._folder.lock_file)
        self._server: Server | None = None
        self._major: int | None = None
        """Of the server that we have started or attached to; no other may follow it on this DSN."""

    @property
    def dsn(self) -> str:
        """Our own role's way to our own database."""
        return self._dsn_of(ROLE, DATABASE)

    @property
    def superuser_dsn(self) -> str:
        """For those who make databases, such as tests."""
        return self._dsn_of(SUPERUSER, "postgres")

    def _dsn_of(self, role: str, database: str) -> str:
        # The port is named because libpq and asyncpg would otherwise take it from PGPORT.
        return f"postgresql://{role}@/{database}?host={self._folder.socket}&port=5432"

    @property
    def is_owner(self) -> bool:
        """Whether the server is a child of ours."""
        return self._server is not None

    def start(self) -> None:
        """Own the server or attach to it; it takes connections when this returns. Main thread, no event loop.

        Raises:
            DatabaseUnavailable: neither is possible; the text says why and what to do.
        """
        try:
            with _translated(self._folder.root):
                self._folder.make()
                asyncio.run(self._own_or_attach())
        except BaseException:
            self.stop()
            raise

    async def supervise(self) -> None:
        """Start the server again when it ends, take it over when its owner is gone; until cancelled.

        Raises:
            DatabaseUnavailable: it has ended too often in too short a time, or its folder is gone.
        """
        falls: deque[float] = deque(maxlen=RESTARTS)
        reason: object = f"see {self._folder.log_file}"
        while True:
            with _translated(self._folder.root):
                await self._until_gone()
            if len(falls) == RESTARTS and time.monotonic() - falls[0] < RESTARTS_WITHIN:
                self.stop()  # lets go of the lock: another process may fare better
                raise DatabaseUnavailable(
                    f"PostgreSQL has ended {RESTARTS + 1} times in {RESTARTS_WITHIN:.0f} s: {reason}"
                )
            falls.append(time.monotonic())
            try:
                with _translated(self._folder.root):
                    await self._own_or_attach()
            except DatabaseUnavailable as error:
                reason = error
                log.warning("PostgreSQL did not start", reason=str(error))
                self.stop()
                await asyncio.sleep(WATCH)

    def stop(self) -> None:
        """End the server if it is ours, within six seconds; let go of it if not."""
        if self._server is not None:
            self._server.end()
            self._server = None
        self._lock.let_go()

    async def _until_gone(self) -> None:
        """Wait until the server that we own has ended, or that of another has and its lock is ours."""
        server = self._server
        if server is None:
            await until(self._lock.take, every=WATCH)
            log.warning("nobody runs PostgreSQL any more: taking over", path=str(self._folder.path))
            return
        await until(lambda: server.exit_code is not None, every=WATCH / 5)
        log.warning("PostgreSQL has ended: restarting", exit_code=server.exit_code, said=server.last_lines)
        self._server = None
        # Processes of the dead server may still be at work on the data: queue for the lock behind them.
        self._lock.let_go()

    async def _own_or_attach(self) -> None:
        began_at = time.monotonic()
        while not self._lock.take():
            if await self._answers():
                log.info(
                    "attached to another's PostgreSQL",
                    version=self._major,
                    path=str(self._folder.path),
                    owner=self._lock.owner,
                )
                return
            self._check_patience(time.monotonic() - began_at)
            await asyncio.sleep(WATCH / 10)
        await self._launch()

    async def _answers(self) -> bool:
        try:
            conn = await asyncpg.connect(self.dsn, timeout=CONNECT_LIMIT)
            self._major = conn.get_server_version().major
            await conn.close(timeout=CONNECT_LIMIT)
        except asyncpg.TooManyConnectionsError:
            return True  # busy, but there
        except UNUSABLE:
            return False
        return True

    def _check_patience(self, waited: float) -> None:
        if self._lock.is_of_the_living and waited > START_LIMIT:
            raise DatabaseUnavailable(
                f"varsel process {self._lock.owner} holds {self._lock.path} but its PostgreSQL does not answer "
                f"after {waited:.0f} s: see {self._folder.log_file}, or end that process and start again"
            )
        if not self._lock.is_of_the_living and waited > FREE_LIMIT:
            raise DatabaseUnavailable(
                f"the PostgreSQL of varsel process {self._lock.owner}, which is gone, still holds "
                f"{self._lock.path} after {waited:.0f} s: end it and start again"
            )

    async def _launch(self) -> None:
        """Start the server, holding the lock."""
        began_at = time.monotonic()
        cluster = self._cluster()
        if not cluster.data.exists():
            if self._major is not None:  # a service that runs must not go on with an empty database
                raise DatabaseUnavailable(f"{cluster.data} is gone: put it back and start again")
            await cluster.make_data(self._lock.descriptor)
        self._server = cluster.start(self._lock.descriptor)
        await self._server.until_ready()
        await self._make_database()
        self._major = cluster.binaries.major
        log.info(
            "PostgreSQL is ready",
            version=cluster.binaries.version,
            path=str(cluster.data),
            pid=self._server.pid,
            seconds=round(time.monotonic() - began_at, 3),
        )

    def _cluster(self) -> Cluster:
        binaries = find_binaries(self._given_binaries)
        if self._major not in (None, binaries.major):
            raise DatabaseUnavailable(
                f"PostgreSQL {self._major} ran here and only {binaries.version} was found to follow it: "
                "give all varsel processes on this data directory the same VARSEL_PG_BIN"
            )
        data = self._folder.data(binaries.major)
        self._folder.set_aside_unusable(data)
        user = OsUser.of_data(data, wanted=self._os_user)
        if not user.can_reach(self._folder.path):
            raise DatabaseUnavailable(
                f"PostgreSQL would run as {user.name}, who cannot enter {self._folder.path}: choose another "
                "--data-dir, or VARSEL_PG_OS_USER, or set VARSEL_DATABASE_URL to a server of your own"
            )
        if not (user.can_reach(binaries.initdb) and user.can_reach(binaries.postgres)):
            binaries = copy_binaries(binaries, self._folder.path)
        return Cluster(binaries, user, self._folder, self._durable, self._max_connections, self._sizes)

    async def _make_database(self) -> None:
        conn = await asyncpg.connect(self.superuser_dsn, timeout=CONNECT_LIMIT, command_timeout=READY_LIMIT)
        try:
            if not await conn.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", ROLE):
                await conn.execute(f"CREATE ROLE {ROLE} LOGIN")
            if not await conn.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await conn.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
        finally:
            await conn.close(timeout=CONNECT_LIMIT)


@contextmanager
def _translated(root: Path) -> Iterator[None]:
    try:
        yield
    except (*UNUSABLE, SubprocessError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatabaseUnavailable(
            f"the embedded database in {root} cannot be used: {reason}; choose another --data-dir, "
            "or set VARSEL_DATABASE_URL to a server of your own"
        ) from error
