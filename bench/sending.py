"""Mails sent a second, until all are recorded, beside smtp-source handing as many of the same size to the same sink."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.delay_proxy import delay_proxy
from bench.example_mail import example_mail
from bench.figure import Figure, Yardstick, interleaved, number
from bench.fresh_orders import place_due_orders, sent_since, wait_until_sent
from bench.post_order import order_to
from bench.processes import CoresTaken, PeakMemory
from bench.run import Run, say
from bench.sink import SESSIONS, sink, source_rate

ONE_WAY = 5.0  # milliseconds: a relay in another town
DISTANT_SHARE = 5  # of the mails are sent there only a fifth: smtp-source needs four round trips for each


class Sending:
    """The product's rate on one database and one relay, and what it took."""

    def __init__(self, run: Run, database: str, relay_port: int, others: dict[str, int]) -> None:
        self._run = run
        self._database = database
        self._relay_port = relay_port
        self._others = others
        self._series = 0
        self.beside: dict[str, str] = {}

    def many_orders(self, mails: int) -> float:
        """Orders of one recipient that wait while the worker starts: from its first claim to the last record."""
        databases = self._run.databases
        self._series += 1
        place_due_orders(databases, self._database, self._series, mails)
        since = datetime.now(UTC)
        with self._run.service(self._database, "--role", "worker", relay_port=self._relay_port) as worker:
            with self._watched(worker.pid):
                wait_until_sent(databases, self._database)
            begun_at, recorded_at = sent_since(databases, self._database, since, mails)
        return mails / (recorded_at - begun_at).total_seconds()

    def large_order(self, mails: int) -> float:
        """One order, from the answer to its POST to the last record."""
        databases = self._run.databases
        with (
            self._run.service(self._database, "--role", "all", relay_port=self._relay_port) as service,
            service.owner() as owner,
        ):
            since = datetime.now(UTC)
            owner.post("/notifications/api/v1/orders/email", json=order_to(mails)).raise_for_status()
            answered_at = datetime.now(UTC)  # the clock of the database too
            with self._watched(service.pid):
                wait_until_sent(databases, self._database)
            _, recorded_at = sent_since(databases, self._database, since, mails)
        return mails / (recorded_at - answered_at).total_seconds()

    @contextmanager
    def _watched(self, pid: int) -> Iterator[None]:
        cores, peak = CoresTaken(varsel=pid, postgres=self._run.databases.pid, **self._others), PeakMemory(pid)
        yield
        self.beside = {
            "cores": ", ".join(f"{name} {value:.2f}" for name, value in cores.now().items()),
            "peak MB": number(peak.megabytes()),
        }


def measure(run: Run) -> Sequence[Figure]:
    """To a sink on this machine."""
    mails = run.length.mails
    with run.filled() as database, sink() as target:
        message = example_mail(run, database)
        sending = Sending(run, database, target.port, {"sink": target.pid})
        return [
            _measure_one(run, f"{mails:,} orders of 1", sending, sending.many_orders, mails, target.port, message),
            _measure_one(run, f"1 order of {mails:,}", sending, sending.large_order, mails, target.port, message),
        ]


def measure_distant(run: Run) -> Sequence[Figure]:
    """To a sink at 10 ms round trip."""
    mails = run.length.mails // DISTANT_SHARE
    with run.filled() as database, sink() as target, delay_proxy(target.port, ONE_WAY) as (port, pid):
        message = example_mail(run, database)
        sending = Sending(run, database, port, {"proxy": pid})
        name = f"{mails:,} orders of 1, 10 ms away"
        return [_measure_one(run, name, sending, sending.many_orders, mails, port, message)]


def _measure_one(
    run: Run, what: str, sending: Sending, rate: Callable[[int], float], mails: int, port: int, message: Path
) -> Figure:
    source_rate(port, mails // 10, message)  # the first connections of all
    values, yardsticks = interleaved(run.length.rounds, partial(rate, mails), lambda: source_rate(port, mails, message))
    yardstick = Yardstick(f"smtp-source -d -s {SESSIONS}", yardsticks)
    figure = Figure(what, "mails/s", values, yardstick, beside={**sending.beside, "mail bytes": _size(message)})
    say(figure)
    return figure


def _size(message: Path) -> str:
    content = message.read_bytes()
    return number(len(content) + content.count(b"\n"))
