"""Orders at a steady rate for minutes: does the varsel process grow?

    make bench-soak MINUTES=10

The first third is for warming up: the last third is held against the one in the middle.
"""

import statistics
import time
from collections.abc import Iterator, Sequence

from bench.figure import Figure, number, percentile
from bench.fresh_orders import wait_until_sent
from bench.handover import FAST, NUMBER
from bench.processes import resident
from bench.request_log import Errand, RequestSource, request_source
from bench.run import Run, headers_of, say
from bench.service import Service
from bench.sink import sink
from bench.wrk import order_of, post_request
from bench.yardstick_sql import BODY, SUBJECT

SAMPLE = 10.0  # seconds
GROWTH = 0.02  # of the middle third's memory that the last third may have more, and still be flat


def measure(run: Run) -> Iterator[Figure]:
    """One figure, and whether memory is flat."""
    with (
        run.filled() as database,
        sink() as target,
        run.service(database, "--role", "all", relay_port=target.port) as service,
        request_source(_errand(service, run.minutes * 60)) as source,
    ):
        samples = _samples(service, source)
        log = source.log()
        wait_until_sent(run.databases, database)
    yield _judged(samples, f"{FAST:.0f} orders/s for {run.minutes:g} minutes", percentile(log.latencies, 95))
    log.check()  # after the figure, which a generator that was late spoils little


def _errand(service: Service, seconds: float) -> Errand:
    order = order_of([f"mottaker{NUMBER}@innbygger.no"], SUBJECT, BODY)
    before, after = post_request(headers_of(service), order).split(NUMBER)
    return Errand(int(service.url.rpartition(":")[2]), before, after, FAST, seconds)


def _samples(service: Service, source: RequestSource) -> Sequence[float]:
    """Megabytes every ten seconds, for as long as the load runs."""
    samples = []
    due = time.monotonic()
    while source.is_running:
        if time.monotonic() >= due:
            samples.append(resident(service.pid))
            say(f"{len(samples) * SAMPLE - SAMPLE:.0f} s: {number(samples[-1])} MB")
            due += SAMPLE
        time.sleep(0.1)
    return samples


def _judged(samples: Sequence[float], what: str, p95: float) -> Figure:
    third = max(1, len(samples) // 3)
    middle, last = statistics.mean(samples[third : 2 * third] or samples), statistics.mean(samples[-third:])
    verdict = "flat" if last <= middle * (1 + GROWTH) else "not flat"
    beside = {
        "memory is": verdict,
        "middle third, MB": number(middle),
        "every 10 s, MB": " ".join(f"{sample:.1f}" for sample in samples),
        "POST to 202, p95 ms": number(p95 * 1e3),
    }
    return Figure(f"{what}, memory in the last third", "MB", [last], better="less", beside=beside)
