"""Order to relay: from POST to the relay's 250, one order at a time and at 300 a second."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.bare_smtp import bare_transactions
from bench.clock_relay import RunningClockRelay, clock_relay
from bench.example_mail import example_mail
from bench.figure import Figure, Yardstick, interleaved, percentile
from bench.processes import CoresTaken
from bench.request_log import Errand, Log, request_source
from bench.run import Run, headers_of
from bench.service import Service
from bench.unsound import Unsound
from bench.wrk import order_of, post_request
from bench.yardstick_sql import BODY, SUBJECT

SLOW = 20.0  # orders a second: each has long been handed over when the next one comes
FAST = 300.0  # orders a second
ARRIVAL_LIMIT = 30.0  # seconds until the last mail is there
NUMBER = "0" * 12  # stands in the request for its number


@dataclass(frozen=True, slots=True)
class Handover:
    """What one run saw; seconds."""

    from_post: Sequence[float]  # POST sent to the relay's 250
    from_answer: Sequence[float]  # 202 received to the relay's 250; below zero where the mail was faster
    answers: Sequence[float]  # POST sent to 202
    cores: Mapping[str, float]


class Handovers:
    """Runs against one service and one relay; no recipient gets two orders."""

    def __init__(self, run: Run, service: Service, relay: RunningClockRelay, *, first: int = 1) -> None:
        self.run = run
        self._service = service
        self.relay = relay
        self._before, self._after = post_request(headers_of(service), _order()).split(NUMBER)
        self._next = first
        self.seen: list[Handover] = []

    def at(self, a_second: float, seconds: float) -> Handover:
        """Place orders at that rate for so long."""
        port = int(self._service.url.rpartition(":")[2])
        errand = Errand(port, self._before, self._after, a_second, seconds, first=self._next)
        self._next += round(a_second * seconds) + 1
        cores = CoresTaken(varsel=self._service.pid, postgres=self.run.databases.pid, relay=self.relay.pid)
        with request_source(errand) as source:
            log = source.log().check()
        seen = _joined(log, self._arrivals(log), {**cores.now(), "generator": log.cores})
        self.seen.append(seen)
        return seen

    def _arrivals(self, log: Log) -> Mapping[str, float]:
        deadline = time.monotonic() + ARRIVAL_LIMIT
        while True:
            taken_at = self.relay.taken_at()
            missing = sum(_address(asked.number) not in taken_at for asked in log.asked)
            if not missing:
                return taken_at
            if time.monotonic() > deadline:
                raise Unsound(f"{missing} of {len(log.asked)} mails did not reach the relay")
            time.sleep(0.1)


def measure(run: Run) -> Iterator[Figure]:
    """The two rates, on one service."""
    with run.filled() as database, clock_relay() as relay:
        message = example_mail(run, database)
        with run.service(database, "--role", "all", relay_port=relay.port) as service:
            handovers = Handovers(run, service, relay)
            handovers.at(SLOW, 2.0)  # the first orders of all
            yield from _figures(handovers, "one at a time", SLOW, run.length.shorter(15, 4), message)
            yield from _figures(handovers, f"{FAST:.0f}/s", FAST, run.length.shorter(20, 4), message)


def _figures(handovers: Handovers, what: str, a_second: float, seconds: float, message: Path) -> Sequence[Figure]:
    handovers.seen.clear()
    bare: list[Sequence[float]] = []

    def bare_p50() -> float:
        port = handovers.relay.port
        bare.append(bare_transactions(port, message, a_second=SLOW, seconds=seconds / 2))
        return _ms(bare[-1], 50)

    interleaved(handovers.run.length.rounds, lambda: _ms(handovers.at(a_second, seconds).from_post, 50), bare_p50)
    seen = handovers.seen
    cores = ", ".join(f"{name} {value:.2f}" for name, value in seen[-1].cores.items())
    return [
        _figure(f"{what}, POST to 250, p50", [h.from_post for h in seen], bare, 50, cores=cores),
        _figure(f"{what}, POST to 250, p99", [h.from_post for h in seen], bare, 99, orders=str(len(seen[0].answers))),
        _figure(f"{what}, 202 to 250, p50", [h.from_answer for h in seen], bare, 50),
        _figure(f"{what}, POST to 202, p50", [h.answers for h in seen], None, 50),
        _figure(f"{what}, POST to 202, p95", [h.answers for h in seen], None, 95),
    ]


def _figure(
    what: str, rounds: Sequence[Sequence[float]], bare: Sequence[Sequence[float]] | None, percent: int, **beside: str
) -> Figure:
    yardstick = Yardstick("bare SMTP transaction", [_ms(times, percent) for times in bare]) if bare else None
    values = [_ms(times, percent) for times in rounds]
    return Figure(what, "ms", values, yardstick, better="less", beside=beside)


def _joined(log: Log, taken_at: Mapping[str, float], cores: Mapping[str, float]) -> Handover:
    arrivals = [taken_at[_address(asked.number)] for asked in log.asked]
    return Handover(
        from_post=[arrival - asked.asked_at for arrival, asked in zip(arrivals, log.asked, strict=True)],
        from_answer=[arrival - asked.answered_at for arrival, asked in zip(arrivals, log.asked, strict=True)],
        answers=log.latencies,
        cores=cores,
    )


def _order() -> Mapping[str, object]:
    return order_of([f"mottaker{NUMBER}@innbygger.no"], SUBJECT, BODY)


def _address(of_request: int) -> str:
    return f"mottaker{of_request:012}@innbygger.no"


def _ms(seconds: Sequence[float], percent: int) -> float:
    return percentile(seconds, percent) * 1e3
