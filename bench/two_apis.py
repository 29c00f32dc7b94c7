"""Two API processes against one on the same database, and what the limit is."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench import get_status, post_order
from bench.figure import Figure, Yardstick, interleaved
from bench.post_order import order_to
from bench.processes import CoresIdle, CoresTaken
from bench.run import Run, headers_of
from bench.service import Service
from bench.wrk import Load, answers_of, get_load, post_load

NOTIFICATIONS = 10  # of the orders that are asked for
IDLE = 0.07  # of the cores: between two processes there is always some
BUSY = 0.9  # of a core: a process of one thread that takes more can do no more


class Pair:
    """The same load on the first of two APIs, or on both at once."""

    def __init__(self, run: Run, loads: Sequence[Load], services: Sequence[Service]) -> None:
        self._run = run
        self._loads = loads
        self._services = services
        self.limits: dict[str, str] = {}

    def rate_of(self, count: int) -> float:
        """Answers a second of the first so many."""
        names = [f"varsel {number + 1}" for number in range(count)]
        processes = {name: service.pid for name, service in zip(names, self._services, strict=False)}
        cores = CoresTaken(**processes, postgres=self._run.databases.pid)
        idle = CoresIdle()
        tools = [load.begin(self._run.length.seconds) for load in self._loads[:count]]
        answers = [answers_of(tool) for tool in tools]
        taken = {**cores.now(), "wrk": sum(answer.generator for answer in answers)}
        self.limits[f"limit of {count}"] = _limit(taken, names, idle.now())
        return sum(answer.rate for answer in answers)


def measure(run: Run) -> Iterator[Figure]:
    """GET and POST; the yardstick is one API."""
    yield _measure_load(run, f"GET {NOTIFICATIONS}, two APIs", "requests/s", get_status.CONNECTIONS, _get)
    yield _measure_load(run, "POST 1, two APIs", "orders/s", post_order.CONNECTIONS, _post)


def _get(run: Run, headers: Mapping[str, str], number: int) -> str:
    return get_load(headers, NOTIFICATIONS, run.blocks, seed=number)


def _post(run: Run, headers: Mapping[str, str], number: int) -> str:
    return post_load(headers, order_to(1))


def _measure_load(
    run: Run, what: str, unit: str, connections: int, script: Callable[[Run, Mapping[str, str], int], str]
) -> Figure:
    with (
        run.filled() as database,
        run.service(database, "--role", "api") as one,
        run.service(database, "--role", "api") as two,
    ):
        services = [one, two]
        loads = [
            Load(service.url, script(run, headers_of(service), number), run.folder, connections=connections)
            for number, service in enumerate(services)
        ]
        for load in loads:
            load.run(1.0)
        pair = Pair(run, loads, services)
        both, alone = interleaved(run.length.rounds, lambda: pair.rate_of(2), lambda: pair.rate_of(1))
    return Figure(what, unit, both, Yardstick("one API", alone), beside=pair.limits)


def _limit(taken: Mapping[str, float], names: Sequence[str], idle: float) -> str:
    """The cores that each took, and so what held the others up."""
    words = ", ".join(f"{name} {cores:.2f}" for name, cores in taken.items()) + f", idle {idle:.2f}"
    if all(taken[name] > BUSY for name in names):
        return f"{words}: the APIs are the limit"
    if idle < IDLE * (os.cpu_count() or 1):
        others = sum(cores for name, cores in taken.items() if name not in names)
        return f"{words}: the machine is, with {others:.2f} for generator and database"
    return f"{words}: waiting is, for the disk or for each other"
