"""The database yardstick: pgbench with prepared statements, as many connections as suit it best."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from bench.tool import Tool, find_tool
from bench.unsound import Unsound

# As the product's pooled connections have it.
SESSION = "-c jit=off -c plan_cache_mode=force_generic_plan"
POOL = 8  # connections of the product
TRY = 1.5  # seconds for each combination that is tried
_RATE = re.compile(r"^tps = ([\d.]+) ", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Clients:
    """How pgbench divides its work."""

    connections: int
    threads: int

    def __str__(self) -> str:
        return f"{self.connections} connections, {self.threads} thread{'s' if self.threads > 1 else ''}"


class Pgbench:
    """One script, run again and again against one database."""

    def __init__(self, environment: Mapping[str, str], script: str, folder: Path, *, load: int) -> None:
        self._environment = {**environment, "PGOPTIONS": SESSION}
        self._file = folder / "yardstick.pgbench"
        self._file.write_text(script, encoding="utf-8")
        self.clients = self._best_clients(load)

    def rate(self, seconds: float) -> float:
        """Transactions a second."""
        return self._run(self.clients, seconds)

    def _best_clients(self, load: int) -> Clients:
        """As many connections as the product's pool or as the load on the product has, whichever is faster."""
        candidates = [Clients(*pair) for pair in product(sorted({POOL, load}), (1, 2))]
        return max(candidates, key=lambda clients: self._run(clients, TRY))

    def _run(self, clients: Clients, seconds: float) -> float:
        options = ["-n", "-M", "prepared", "-c", str(clients.connections), "-j", str(clients.threads)]
        command: list[str | Path] = [
            find_tool("pgbench"),
            *options,
            "-T",
            str(max(1, round(seconds))),
            "-f",
            self._file,
        ]
        # Whatever it takes belongs to the yardstick: only more would be unfair to us.
        output = Tool(command, self._environment).wait(may_take_a_core=True).output
        rate, failed = _RATE.search(output), _FAILED.search(output)
        if rate is None or (failed is not None and failed[1] != "0"):
            raise Unsound(f"pgbench did not run the product's SQL: {output.strip().splitlines()[0]}")
        return float(rate[1])
