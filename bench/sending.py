"""Mails sent a second, until all are recorded, beside smtp-source handing as many of the same size to the same sink."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.delay_proxy import delay_proxy
from bench.example_mail import example_mail
from bench.figure import Figure, Yardstick, interleaved, number
from bench.fresh_orders import place_due_orders, sent_since, wait_until_sent
from bench.post_order import order_to
from bench.processes import CoresTaken, PeakMemory
from bench.run import Run
from bench.sink import SESSIONS, sink, source_rate

ONE_WAY = 5.0  # milliseconds: a relay in another town
DISTANT_SHARE = 2  # of the mails are sent there only half: smtp-source needs four round trips for each


@dataclass(slots=True)
class Sending:
    """The product's rate on one database and one relay, and what it took."""

    run: Run
    database: str
    relay_port: int
    message: Path  # as the product writes it
    others: dict[str, int]  # processes beside the product's and the database's
    series: int = 0
    beside: dict[str, str] = field(default_factory=dict)

    def many_orders(self, mails: int) -> float:
        """Orders of one recipient that wait while the worker starts: from its first claim to the last record."""
        databases = self.run.databases
        self.series += 1
        place_due_orders(databases, self.database, self.series, mails)
        since = datetime.now(UTC)
        with self.run.service(self.database, "--role", "worker", relay_port=self.relay_port) as worker:
            with self._watched(worker.pid):
                wait_until_sent(databases, self.database)
            begun_at, recorded_at = sent_since(databases, self.database, since, mails)
        return mails / (recorded_at - begun_at).total_seconds()

    def own_bodies(self, mails: int) -> float:
        """One order whose recipients each get a body of their own."""
        return self.large_order(mails, program="bench.own_bodies")

    def large_order(self, mails: int, program: str = "varsel") -> float:
        """One order, from the answer to its POST to the last record."""
        databases = self.run.databases
        with (
            self.run.service(self.database, "--role", "all", relay_port=self.relay_port, program=program) as service,
            service.owner() as owner,
        ):
            since = datetime.now(UTC)
            owner.post("/notifications/api/v1/orders/email", json=order_to(mails)).raise_for_status()
            answered_at = datetime.now(UTC)  # the clock of the database too
            with self._watched(service.pid):
                wait_until_sent(databases, self.database)
            _, recorded_at = sent_since(databases, self.database, since, mails)
        return mails / (recorded_at - answered_at).total_seconds()

    @contextmanager
    def _watched(self, pid: int) -> Iterator[None]:
        cores, peak = CoresTaken(varsel=pid, postgres=self.run.databases.pid, **self.others), PeakMemory(pid)
        yield
        self.beside = {
            "cores": ", ".join(f"{name} {value:.2f}" for name, value in cores.now().items()),
            "peak MB": number(peak.megabytes()),
        }


def measure(run: Run) -> Iterator[Figure]:
    """To a sink on this machine."""
    mails = run.length.mails
    with run.filled() as database, sink() as target:
        message = example_mail(run, database)
        sending = Sending(run, database, target.port, message, {"sink": target.pid})
        yield _measure_one(sending, f"{mails:,} orders of 1", sending.many_orders, mails)
        yield _measure_one(sending, f"1 order of {mails:,}", sending.large_order, mails)
        yield _measure_one(sending, f"1 order of {mails:,}, each body its own", sending.own_bodies, mails)


def measure_distant(run: Run) -> Iterator[Figure]:
    """To a sink at 10 ms round trip."""
    mails = run.length.mails // DISTANT_SHARE
    with run.filled() as database, sink() as target, delay_proxy(target.port, ONE_WAY) as (port, pid):
        message = example_mail(run, database)
        sending = Sending(run, database, port, message, {"proxy": pid})
        name = f"{mails:,} orders of 1, 10 ms away"
        yield _measure_one(sending, name, sending.many_orders, mails)


def _measure_one(sending: Sending, what: str, rate: Callable[[int], float], mails: int) -> Figure:
    port, message = sending.relay_port, sending.message
    source_rate(port, mails // 10, message)  # the first connections of all
    values, yardsticks = interleaved(
        sending.run.length.rounds, partial(rate, mails), lambda: source_rate(port, mails, message)
    )
    yardstick = Yardstick(f"smtp-source -d -s {SESSIONS}", yardsticks)
    return Figure(what, "mails/s", values, yardstick, beside={**sending.beside, "mail bytes": _size(message)})


def _size(message: Path) -> str:
    content = message.read_bytes()
    return number(len(content) + content.count(b"\n"))
