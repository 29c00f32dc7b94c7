"""Whether the product gets slower as its database grows: GET of 10, POST of 1, and order to relay, at four sizes.

    make bench-growth

Each size has its database and its service, and the rounds go from one to the other. What a round adds is deleted again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from bench import get_status, post_order
from bench.clock_relay import clock_relay
from bench.figure import Figure, Yardstick, interleaved, percentile
from bench.fill import BLOCK_NOTIFICATIONS, fill
from bench.handover import SLOW, Handovers
from bench.post_order import order_to
from bench.run import Run, headers_of, say
from bench.service import Service
from bench.wrk import Load, get_load, post_load

BLOCKS = (2, 20, 200, 1_000)  # 10 thousand, 100 thousand, 1 million and 5 million notifications
QUICK_BLOCKS = (2, 20)
NOTIFICATIONS = 10  # of the orders that are asked for
POST_SECONDS = 2.0  # a longer run would make the smallest database a large one
ADDED = "DELETE FROM orders WHERE id >= '01910000-0000-7000-8000-000000000000'"

Rate = Callable[[], float]


def measure(run: Run) -> Iterator[Figure]:
    """The yardstick of each figure is the smallest size."""
    sizes = QUICK_BLOCKS if run.length.short else BLOCKS
    names = {blocks: f"grown_{blocks}" for blocks in sizes}
    for blocks, name in names.items():
        say(f"filling a database with {blocks * BLOCK_NOTIFICATIONS:,} notifications")
        fill(run.databases, name, blocks)
        run.databases.warm_up(name)
    try:
        yield from _handovers(run, names)
        yield from _requests(run, names)
    finally:
        for name in names.values():
            run.databases.drop(name)


def _handovers(run: Run, names: Mapping[int, str]) -> Iterator[Figure]:
    seconds = run.length.shorter(10, 3)
    with clock_relay() as relay, _services(run, names, "all", relay.port) as services:
        handovers = {
            blocks: Handovers(run, service, relay, first=blocks * 1_000_000) for blocks, service in services.items()
        }

        def p50(blocks: int) -> float:
            return percentile(handovers[blocks].at(SLOW, seconds).from_post, 50) * 1e3

        rates: dict[int, Rate] = {blocks: lambda blocks=blocks: p50(blocks) for blocks in names}  # type: ignore[misc]
        yield from _figures(run, "order to relay, p50", "ms", rates)
    _forget_added(run, names)


def _requests(run: Run, names: Mapping[int, str]) -> Iterator[Figure]:
    with _services(run, names, "api", None) as services:
        gets = {blocks: _get(run, blocks, service) for blocks, service in services.items()}
        yield from _figures(run, f"GET {NOTIFICATIONS}", "requests/s", gets)
        posts = {blocks: _post(run, names[blocks], service) for blocks, service in services.items()}
        yield from _figures(run, "POST 1", "orders/s", posts)


@contextmanager
def _services(run: Run, names: Mapping[int, str], role: str, relay_port: int | None) -> Iterator[dict[int, Service]]:
    with ExitStack() as stack:
        yield {
            blocks: stack.enter_context(run.service(name, "--role", role, relay_port=relay_port))
            for blocks, name in names.items()
        }


def _get(run: Run, blocks: int, service: Service) -> Rate:
    script = get_load(headers_of(service), NOTIFICATIONS, blocks)
    load = Load(service.url, script, run.folder, connections=get_status.CONNECTIONS)
    load.run(1.0)
    return lambda: load.run(run.length.seconds).rate


def _post(run: Run, database: str, service: Service) -> Rate:
    script = post_load(headers_of(service), order_to(1))
    load = Load(service.url, script, run.folder, connections=post_order.CONNECTIONS)

    def rate() -> float:
        answers = load.run(POST_SECONDS)
        run.databases.execute(database, ADDED, "VACUUM orders", "VACUUM notifications")
        return answers.rate

    rate()
    return rate


def _forget_added(run: Run, names: Mapping[int, str]) -> None:
    for name in names.values():
        run.databases.execute(name, ADDED, "VACUUM")


def _figures(run: Run, what: str, unit: str, rates: Mapping[int, Rate]) -> Sequence[Figure]:
    rounds = interleaved(run.length.rounds, *rates.values())
    yardstick = Yardstick(f"{min(rates) * BLOCK_NOTIFICATIONS:,} notifications", rounds[0])
    return [
        Figure(
            f"{what}, {blocks * BLOCK_NOTIFICATIONS:,} notifications",
            unit,
            values,
            yardstick,
            better="less" if unit == "ms" else "more",
        )
        for blocks, values in zip(rates, rounds, strict=True)
    ]
