"""POST of an order, answered when it is durable, beside pgbench writing the same rows by the same SQL."""

from collections.abc import Iterator, Mapping

from bench.figure import Figure, Yardstick, interleaved
from bench.loaded import Loaded
from bench.pgbench import Pgbench
from bench.run import Run, headers_of
from bench.service import Service
from bench.wrk import Load, order_of, post_load
from bench.yardstick_sql import ADDRESS, BODY, SUBJECT, post_script

CONNECTIONS = 32
SIZES = (1, 100)  # recipients
WARM_UP = 1.0  # seconds


def order_to(recipients: int) -> Mapping[str, object]:
    """The same order that the yardstick writes."""
    return order_of([ADDRESS.format(number) for number in range(recipients)], SUBJECT, BODY)


def measure(run: Run) -> Iterator[Figure]:
    """One figure for each size."""
    for size in SIZES:
        with run.filled() as database, run.service(database, "--role", "api") as service:
            yield _measure_size(run, database, service, size)


def _measure_size(run: Run, database: str, service: Service, size: int) -> Figure:
    yardstick = Pgbench(run.databases.environment(database), post_script(size), run.folder, load=CONNECTIONS)
    load = Load(service.url, post_load(headers_of(service), order_to(size)), run.folder, connections=CONNECTIONS)
    load.run(WARM_UP)
    loaded = Loaded(run, load, service)
    values, yardsticks = interleaved(run.length.rounds, loaded.rate, lambda: yardstick.rate(run.length.seconds))
    name = f"pgbench ({yardstick.clients})"
    return Figure(f"POST {size:,}", "orders/s", values, Yardstick(name, yardsticks), beside=loaded.beside())
