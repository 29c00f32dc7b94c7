"""kill -9 of APIs, workers and the database at random moments under load: nothing that was answered may be lost.

Two APIs, two workers and a PostgreSQL run as in production, against a relay of this script's that sends delivery
reports, a contact register that fails and is away, and endpoints of conditions. Faults follow each other by the seed,
then everything must settle, and the API is asked what became of every order. Exit code 1 where a promise is broken, and
the logs are kept.

    make chaos
    make chaos SEED=4711 SECONDS=120 FAULTS=kill-worker,kill-database
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos_around import Around, around
from bench.chaos_check import ASKED_IN_VAIN, WITHHELD, check, doublings
from bench.chaos_faults import Fault, Record, Saboteur
from bench.chaos_fleet import APIS, IN_FLIGHT, Fleet, choose_ports
from bench.chaos_load import Answers, Client, together
from bench.chaos_logs import held_up, logged_errors
from bench.chaos_orders import CLIENTS
from bench.chaos_records import Broken, Promise, Shown
from bench.chaos_settle import read_all, settle
from bench.chaos_table import Row, explain, print_table
from varsel.logs import configure_logs
from varsel.orders.send_condition import Condition

# Seconds: a lock missing for 3, in doubt for 5, the next attempt, and the backlog; but above all the pause of an order
# that was claimed five or six times in vain, which is 32 or 64.
SETTLE_LIMIT = 120.0
LAST_ORDERS = 150.0  # seconds for the clients to get their last answers: two requests with a key, at the worst


@dataclass(slots=True)
class Run:
    """One run: what takes part in it, and what came of it."""

    options: argparse.Namespace
    fleet: Fleet
    around: Around
    answers: Answers = field(default_factory=Answers)
    record: Record = field(default_factory=Record)
    shown: Shown = field(default_factory=lambda: Shown({}, {}))
    claims: str = ""
    settled: str = f"NO, not within {SETTLE_LIMIT:.0f} s"

    def carry_out(self) -> list[Broken]:
        """Load and faults, then the account."""
        self.fleet.start()
        saboteur = Saboteur(self.fleet, self.around, random.Random(self.options.seed))
        self.record = saboteur.record
        with self._clients() as clients:
            saboteur.run(self.options.faults, time.monotonic() + self.options.seconds)
            faults_ended_at = time.monotonic()
            self.around.register.behaves = True
        self.answers = together(clients)
        with self.fleet.apis[0].service.owner() as owner:
            asked = self.answers.orders
            last = settle(owner, asked, self.around, limit=SETTLE_LIMIT)
            if last is not None:
                self.settled = f"{time.monotonic() - faults_ended_at:.1f} s after the last fault; last: {last}"
            self.fleet.restart_ended()
            self.shown, self.claims = read_all(owner, asked), self.fleet.database.claims()
        broken = check(asked, self.around.books_now(), self.shown, self.record.worker_kills)
        return broken + self._unhealthy()

    @contextmanager
    def _clients(self) -> Iterator[list[Client]]:
        """Clients at work, each with one of the APIs, until the block ends; then they finish what they are at."""
        with ExitStack() as stack:
            clients = []
            for number in range(1, CLIENTS + 1):
                owner = stack.enter_context(self.fleet.apis[number % APIS].service.owner())
                seed, rate = f"{self.options.seed}/{number}", self.options.rate / CLIENTS
                clients.append(Client(number, owner, seed=seed, mails_a_second=rate))
            try:
                for client in clients:
                    client.start()
                yield clients
            finally:
                self._last_orders(clients)

    def _last_orders(self, clients: list[Client]) -> None:
        for client in clients:
            client.stop()
        deadline = time.monotonic() + LAST_ORDERS
        while any(client.is_alive() for client in clients) and time.monotonic() < deadline:
            self.fleet.look_after(0.1)

    def _unhealthy(self) -> list[Broken]:
        """What was broken on the way."""
        reports = self.around.reports
        waiting = [f"{reports.waiting} mails' reports were not taken"] if reports.waiting else []
        return [
            *(Broken(Promise.OPEN, what) for what in waiting),
            *(Broken(Promise.REFUSED, what) for what in (*self.answers.wrong, *reports.refused)),
            *(Broken(Promise.STOPPED, what) for what in (*self.fleet.went_by_itself, *self.record.slow_stops)),
        ]

    def rows(self) -> list[Row]:
        """The numbers of the run."""
        answers, books, record = self.answers, self.around.books_now(), self.record
        placed = [order for order in answers.orders if order.order_id is not None]
        arrivals = sum(len(arrivals) for arrivals in books.arrivals.values())
        kills = len(record.worker_kills)
        return [
            ("faults", _lines(record.counts)),
            ("orders answered 202", f"{len(placed)} of {len(answers.orders)} asked for"),
            ("recipients of these orders", str(sum(len(order.recipients) for order in placed))),
            *self._asking_rows(),
            ("mails at the relay", f"{arrivals} for {len(books.arrivals)} recipients"),
            ("reports taken", str(sum(len(answered) for answered in books.answered.values()))),
            ("reports put off", _counted(self.around.reports.put_off)),
            (
                "mails doubled",
                f"{len(doublings(books))}; allowed {kills} kills of a worker x {IN_FLIGHT} = {kills * IN_FLIGHT}",
            ),
            ("answers to orders", _counted(answers.codes)),
            ("refused 503, peak", f"{answers.peak_refused} in one second"),
            ("longest wait for a 202", f"{answers.longest:.1f} s, repeats included"),
            ("SIGTERM to the end of a worker", ", ".join(f"{took:.1f} s" for took in record.stops) or "-"),
            ("settled", self.settled),
            ("logged at ERROR", _lines(logged_errors(self._logs)) or "nothing"),
        ]

    def _asking_rows(self) -> list[Row]:
        """The numbers of the orders for which others had to be asked, of all that are there."""
        there = [order for order in self.answers.orders if self.shown.orders.get(order.reference)]
        by_identity = [len(order.recipients) for order in there if order.by_identity]
        conditions = Counter(order.condition for order in there)
        met, not_met = conditions[Condition.MET], conditions[Condition.NOT_MET]
        in_vain = Counter(self.around.books_now().unanswered)
        open_to_both = [o for o in there if o.condition is Condition.MET and in_vain[o.reference] >= ASKED_IN_VAIN]
        withheld = list(self.shown.statuses.values()).count(WITHHELD)
        return [
            ("orders by identity", f"{len(by_identity)}, to {sum(by_identity)} recipients"),
            ("orders on a condition", f"{met} met, {len(open_to_both)} of them unanswered twice; {not_met} not met"),
            ("orders withheld", str(withheld)),
            ("contact register", _counted(self.around.register.met)),
            ("orders held up", _lines(held_up(self._logs)) or "none"),
            ("claims of orders", self.claims),
        ]

    @property
    def _logs(self) -> list[Path]:
        return [process.service.log_file for process in self.fleet.processes]


def main() -> int:
    """Run it; 1 where a promise was broken."""
    options = _options()
    configure_logs("WARNING")  # of the code of ours that runs in this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything we have started is ended
    folder = Path(tempfile.mkdtemp(prefix="varsel-chaos-"))
    folder.chmod(0o711)  # where we are root the database's user must be able to pass
    print(f"seed {options.seed}; logs in {folder}", flush=True)
    is_broken = True
    try:
        is_broken = _run(options, folder)
    finally:
        if is_broken or options.keep:
            print(f"logs: {folder}/*/log, {folder}/database/postgres/server.log")
        else:
            shutil.rmtree(folder)
    return 1 if is_broken else 0


def _run(options: argparse.Namespace, folder: Path) -> bool:
    """Whether a promise was broken."""
    ports = choose_ports()
    with around(ports, options.seed, seconds_a_mail=options.milliseconds / 1000) as (played, relay_port):
        fleet = Fleet(folder, ports, relay_port)
        try:
            run = Run(options, fleet, played)
            broken = run.carry_out()
            print_table(f"seed {options.seed}, {options.seconds:g} s", run.rows(), broken)
            if broken:
                explain(broken, fleet.database.dsn)
        finally:
            fleet.stop()
    return bool(broken)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in sorted(counts.items())) or "-"


def _lines(counts: Mapping[str, int]) -> str:
    return "\n".join(f"{what}: {count}" for what, count in sorted(counts.items()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--seconds", type=float, default=60.0, help="of faults; starting and settling come on top")
    parser.add_argument("--faults", type=_faults, default=tuple(Fault), help=f"some of {','.join(Fault)} (all)")
    parser.add_argument("--rate", type=float, default=150.0, help="mails a second")
    parser.add_argument("--milliseconds", type=float, default=5.0, help="that the relay takes a mail")
    parser.add_argument("--keep", action="store_true", help="keep the logs also where all went well")
    return parser.parse_args()


def _faults(text: str) -> tuple[Fault, ...]:
    return tuple(Fault(word.strip()) for word in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
