"""GET of an order's notifications, beside pgbench reading the same rows by the same SQL."""

from collections.abc import Iterator

from bench.figure import Figure, Yardstick, interleaved
from bench.fill import BLOCK, PICKS, order_id
from bench.loaded import Loaded
from bench.pgbench import Pgbench
from bench.run import Run, headers_of
from bench.service import Service
from bench.unsound import Unsound
from bench.wrk import Load, get_load
from bench.yardstick_sql import get_script

CONNECTIONS = 16
SIZES = (1, 10, 1_000)  # notifications of the orders that are asked for
WARM_UP = 1.0  # seconds


def measure(run: Run) -> Iterator[Figure]:
    """One figure for each size."""
    with run.filled() as database, run.service(database, "--role", "api") as service:
        for size in SIZES:
            _check_answer(service, size)
            yield _measure_size(run, database, service, size)


def _measure_size(run: Run, database: str, service: Service, size: int) -> Figure:
    yardstick = Pgbench(run.databases.environment(database), get_script(size, run.blocks), run.folder, load=CONNECTIONS)
    script = get_load(headers_of(service), size, run.blocks)
    load = Load(service.url, script, run.folder, connections=CONNECTIONS)
    load.run(WARM_UP)
    loaded = Loaded(run, load, service)
    values, yardsticks = interleaved(run.length.rounds, loaded.rate, lambda: yardstick.rate(run.length.seconds))
    name = f"pgbench ({yardstick.clients})"
    return Figure(f"GET {size:,}", "requests/s", values, Yardstick(name, yardsticks), beside=loaded.beside())


def _check_answer(service: Service, size: int) -> None:
    """Look once at what all these answers hold."""
    with service.owner() as owner:
        number_of_order = BLOCK + PICKS[size].start
        url = f"/notifications/api/v1/orders/{order_id(number_of_order)}/notifications/email"
        answer = owner.get(url).raise_for_status().json()
    if answer["generated"] != size or len(answer["notifications"]) != size:
        raise Unsound(f"GET of an order of {size} answered {answer['generated']}")
