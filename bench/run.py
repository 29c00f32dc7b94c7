"""One run of the suite: its server, its filled database, its length, and the product's processes."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.databases import Databases
from bench.fill import BLOCK, BLOCK_NOTIFICATIONS, fill
from bench.service import Service

FILLED = "filled"


@dataclass(frozen=True, slots=True)
class Length:
    """How much is measured: long enough for numbers to keep, or just to see that everything works."""

    rounds: int
    seconds: float  # of one load
    blocks: int  # of the filled database
    mails: int  # of a run of sending
    many: int  # recipients of the large order
    short: bool

    def shorter(self, usual: int, quick: int) -> int:
        """One of two numbers."""
        return quick if self.short else usual


USUAL = Length(rounds=5, seconds=6.0, blocks=200, mails=10_000, many=100_000, short=False)
QUICK = Length(rounds=1, seconds=2.0, blocks=20, mails=1_000, many=10_000, short=True)


@dataclass(slots=True)
class Run:
    """What every section works with; `folder` is for files that do not outlive it."""

    folder: Path
    databases: Databases
    length: Length
    minutes: float = 10.0  # of soaking
    _services: int = 0
    _is_filled: bool = field(default=False)

    @property
    def blocks(self) -> int:
        """Of the filled database."""
        return self.length.blocks

    @contextmanager
    def filled(self) -> Iterator[str]:
        """The name of a fresh copy of the filled database."""
        if not self._is_filled:
            orders, notifications = self.blocks * BLOCK, self.blocks * BLOCK_NOTIFICATIONS
            say(f"filling a database: {orders:,} orders, {notifications:,} notifications")
            fill(self.databases, FILLED, self.blocks)
            self._is_filled = True
        with self.databases.copy_of(FILLED) as name:
            yield name

    @contextmanager
    def service(
        self, database: str, *arguments: str, relay_port: int | None = None, program: str = "varsel", **settings: str
    ) -> Iterator[Service]:
        """`varsel serve --dev` on a database, from its start to its stop."""
        self._services += 1
        folder = self.folder / f"service-{self._services}"
        folder.mkdir()
        settings |= {"VARSEL_DATABASE_URL": self.databases.dsn(database)}
        with ExitStack() as stack:
            service = Service(folder, relay_port, *arguments, **settings)
            service.program = program
            stack.callback(_stop, service)
            service.start()
            yield service


def _stop(service: Service) -> None:
    if service.was_spawned:
        service.stop()


def headers_of(service: Service) -> Mapping[str, str]:
    """What a request of the service owner has to carry."""
    with service.owner() as client:
        return {"Host": "127.0.0.1", "Authorization": client.headers["Authorization"]}


def say(text: object) -> None:
    """A line of progress."""
    print(text, flush=True, file=sys.stdout)
