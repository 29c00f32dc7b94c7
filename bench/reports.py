"""Delivery reports taken a second, each recorded before its 250, beside smtp-source into a sink that keeps nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos_fleet import free_ports
from bench.example_mail import example_mail
from bench.figure import Figure, Yardstick, interleaved, number
from bench.fresh_orders import place_sent_orders, statuses_of
from bench.processes import CoresTaken, PeakMemory
from bench.report_source import Errand, key_in_words, report_source, write_report
from bench.run import Run
from bench.service import Service
from bench.sink import SESSIONS, sink, source_rate
from bench.unsound import Unsound
from varsel.database.statements import statements


@dataclass(slots=True)
class Taking:
    """The product's rate, and what it took."""

    run: Run
    database: str
    worker: Service
    port: int  # of its listener
    mail: Path  # whose headers the reports carry
    series: int = 0x100  # no other section's
    beside: dict[str, str] = field(default_factory=dict)

    def rate(self, count: int) -> float:
        """Reports a second, on as many notifications that wait for them.

        Raises:
            Unsound: not every one moved its status.
        """
        databases = self.run.databases
        self.series += 1
        place_sent_orders(databases, self.database, self.series, count)
        with report_source(self._errand(count)) as hand_over:
            cores, peak = CoresTaken(varsel=self.worker.pid, postgres=databases.pid), PeakMemory(self.worker.pid)
            log = hand_over()
            taken = {**cores.now(), "generator": log.cores}
        self.beside = {
            "cores": ", ".join(f"{name} {value:.2f}" for name, value in taken.items()),
            "peak MB": number(peak.megabytes()),
        }
        log.check(count)
        statuses = statuses_of(databases, self.database, self.series, count)
        if statuses != {"Delivered": count // 2, "Failed_Bounced": count // 2}:
            raise Unsound(f"{count} reports were answered 250, and the statuses are {statuses}")
        return count / log.seconds

    def _errand(self, count: int) -> Errand:
        [key] = self.run.databases.fetch(self.database, statements("return_path_keys")["keys_newest_first"])
        return Errand(self.port, self.series, count, key_in_words(key["secret"]), str(self.mail))


def measure(run: Run) -> Iterator[Figure]:
    """One figure."""
    count = run.length.mails
    [port] = free_ports(1)
    with run.filled() as database, sink(lmtp=True) as target:
        mail = example_mail(run, database)
        message = _example_report(run, mail)
        listener = {"VARSEL_REPORTS_LISTEN": f"lmtp://127.0.0.1:{port}"}
        with run.service(database, "--role", "worker", relay_port=target.port, **listener) as worker:
            taking = Taking(run, database, worker, port, mail)
            taking.rate(count // 10)  # the first of all
            values, yardsticks = interleaved(
                run.length.rounds,
                lambda: taking.rate(count),
                lambda: source_rate(target.port, count, message, lmtp=True),
            )
    yardstick = Yardstick(f"smtp-source -L -d -s {SESSIONS}", yardsticks)
    yield Figure(f"{count:,} delivery reports", "reports/s", values, yardstick, beside=taking.beside)


def _example_report(run: Run, mail: Path) -> Path:
    """A file with a report of the same size, in the form that smtp-source wants."""
    path = "b+aaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaa@bounce.varsel.test"
    report = write_report(mail.read_bytes().replace(b"\n", b"\r\n"), path, 0, 1)
    file = run.folder / "report.eml"
    file.write_bytes(report.replace(b"\r\n", b"\n"))
    return file
