"""The faults of the kill test: which, in which order and when, by the seed; and what each of them does."""

import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from random import Random

from bench.chaos_around import Around
from bench.chaos_fleet import IN_FLIGHT, LOOK, SMTP_CONNECTIONS, Fleet, Process
from bench.chaos_records import WorkerKill, clock
from bench.service import STOP_LIMIT

PAUSE = (0.2, 2.0)  # seconds between faults
FROZEN_WORKER = 5.0  # seconds: longer than a lock may be missing, so its lock must stay
FROZEN_DATABASE = 3.0  # seconds
LOST = (5.0, 12.0)  # seconds that a worker is taken for dead: its orders are free after four, its mails sent after ten
MUTE = 0.3  # of the kills of a worker: while the database stands still, so that no result can be recorded
MUTE_FOR = 0.7  # seconds before that kill: all that may be unrecorded then is
BURST = SMTP_CONNECTIONS  # mails at the relay at one moment: with two workers, half of what is possible
MOMENT_LIMIT = 4.0  # seconds to wait for the right moment; then it is any


class Fault(StrEnum):
    """What may be done to whom; the value is its name on the command line."""

    KILL_API = "kill-api"
    KILL_WORKER = "kill-worker"
    KILL_DATABASE = "kill-database"
    FREEZE_WORKER = "freeze-worker"  # SIGSTOP: its connections and its lock live on, so nothing may be sent again
    LOSE_WORKER = "lose-worker"  # frozen and its lock gone, so others take what it holds; then it goes on
    FREEZE_DATABASE = "freeze-database"
    TERM_WORKER = "term-worker"  # SIGTERM: must finish in ten seconds and leave nothing in doubt


# How often each comes in a round; a round is shuffled, so that a run of a minute or two sees them all.
ROUND = {
    Fault.KILL_WORKER: 3,
    Fault.KILL_DATABASE: 3,
    Fault.KILL_API: 2,
    Fault.TERM_WORKER: 1,
    Fault.FREEZE_WORKER: 1,
    Fault.LOSE_WORKER: 1,
    Fault.FREEZE_DATABASE: 1,
}


def fault_sequence(wanted: Sequence[Fault], random: Random) -> Iterator[Fault]:
    """Endless."""
    while True:
        deck = [fault for fault in wanted for _ in range(ROUND[fault])]
        random.shuffle(deck)
        yield from deck


@dataclass(slots=True)
class Record:
    """What has been done."""

    counts: Counter[str] = field(default_factory=Counter)
    worker_kills: list[WorkerKill] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)  # seconds from SIGTERM to the end
    slow_stops: list[str] = field(default_factory=list)


class Moment(Enum):
    """When a fault does most harm."""

    BURST = "many mails are in flight"
    QUESTION = "a condition is asked, and its order is claimed"
    ANY = "any"


MOMENTS = {Moment.BURST: 5, Moment.QUESTION: 3, Moment.ANY: 2}  # how often each


class Saboteur:
    """Does one fault after the other; each service is started again right after."""

    def __init__(self, fleet: Fleet, around: Around, random: Random) -> None:
        self._fleet = fleet
        self._around = around
        self._random = random
        self.record = Record()

    def run(self, wanted: Sequence[Fault], until: float) -> None:
        """Go on until that time of the monotonic clock; then wait until everything runs again."""
        for fault in fault_sequence(wanted, self._random):
            self._fleet.look_after(self._random.uniform(*PAUSE))
            if time.monotonic() > until:
                break
            self._do(fault)
        self._fleet.wait_until_started(*self._fleet.processes)

    def _do(self, fault: Fault) -> None:
        match fault:
            case Fault.KILL_API:
                self._kill_api()
            case Fault.KILL_WORKER:
                self._kill_worker()
            case Fault.KILL_DATABASE:
                self._kill_database()
            case Fault.FREEZE_WORKER:
                self._freeze_worker()
            case Fault.LOSE_WORKER:
                self._lose_worker()
            case Fault.FREEZE_DATABASE:
                self._freeze_database()
            case Fault.TERM_WORKER:
                self._term_worker()

    def _kill_api(self) -> None:
        api = self._one_of(self._fleet.apis)
        self._note("kill api", api.name)
        api.service.kill()
        self._fleet.respawn(api)

    def _kill_worker(self) -> None:
        worker = self._one_of(self._fleet.workers)
        is_mute = self._random.random() < MUTE
        self._await_moment()
        self._note("kill worker", f"{worker.name} that can record nothing" if is_mute else worker.name)
        if not is_mute:
            self._kill(worker)
            return
        self._fleet.database.freeze()
        self._fleet.look_after(MUTE_FOR)
        self._kill(worker)
        self._fleet.database.thaw()

    def _kill_database(self) -> None:
        way = self._random.choice(("postmaster", "all", "backend"))
        self._await_moment()
        self._note("kill database", way)
        database = self._fleet.database
        match way:
            case "postmaster":
                database.kill_postmaster()
                database.start()
            case "all":
                database.kill_all()
                database.start()
            case _:
                database.kill_backend(self._random)
                database.wait_until_it_answers()

    def _freeze_worker(self) -> None:
        worker = self._one_of(self._fleet.workers)
        self._await_moment()
        self._note("freeze worker", worker.name)
        worker.service.signal(signal.SIGSTOP)
        self._fleet.look_after(FROZEN_WORKER)
        worker.service.signal(signal.SIGCONT)

    def _lose_worker(self) -> None:
        worker = self._one_of(self._fleet.workers)
        self._await(Moment.QUESTION)
        self._note("lose worker", worker.name)
        worker.service.signal(signal.SIGSTOP)
        self._note_kill()
        self._fleet.database.kill_all()
        self._fleet.database.start()
        self._fleet.look_after(self._random.uniform(*LOST))
        # What it has not handed over yet comes now, and another may have sent it meanwhile.
        self._note_kill()
        worker.service.signal(signal.SIGCONT)

    def _freeze_database(self) -> None:
        self._note("freeze database", "")
        self._fleet.database.freeze()
        self._fleet.look_after(FROZEN_DATABASE)
        self._fleet.database.thaw()

    def _term_worker(self) -> None:
        worker = self._one_of(self._fleet.workers)
        self._await_moment()
        self._note("term worker", worker.name)
        took = self._fleet.terminate(worker)
        self.record.stops.append(took)
        if took >= STOP_LIMIT:
            self.record.slow_stops.append(f"{worker.name} was killed {took:.1f} s after SIGTERM")
            self._kill(worker)
        else:
            self._fleet.respawn(worker)

    def _kill(self, worker: Process) -> None:
        worker.service.kill()
        self._note_kill()
        self._fleet.respawn(worker)

    def _note_kill(self) -> None:
        self.record.worker_kills.append(WorkerKill(clock(), IN_FLIGHT))

    def _one_of(self, processes: Sequence[Process]) -> Process:
        """By chance; one that has not started has nothing to lose, so that is waited for."""
        process = self._random.choice(processes)
        self._fleet.wait_until_started(process)
        return process

    def _await_moment(self) -> None:
        """One by chance."""
        [moment] = self._random.choices(list(MOMENTS), list(MOMENTS.values()))
        self._await(moment)

    def _await(self, moment: Moment) -> None:
        deadline = time.monotonic() + MOMENT_LIMIT
        while not self._has_come(moment) and time.monotonic() < deadline:
            time.sleep(LOOK / 20)

    def _has_come(self, moment: Moment) -> bool:
        match moment:
            case Moment.BURST:
                return self._around.mails_in_hand >= BURST
            case Moment.QUESTION:
                return self._around.conditions_in_hand > 0
            case Moment.ANY:
                return True

    def _note(self, fault: str, whom: str) -> None:
        self.record.counts[fault] += 1
        print(f"{clock():8.2f} s  {fault} {whom}", flush=True)
