"""What the kill test prints: the table at the end, and for what is broken its history."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from bench.chaos_records import Broken, Promise

EXPLAINED = 5  # items of each broken promise
SHOW_LIMIT = 30.0  # seconds

Row = tuple[str, str]


def print_table(title: str, rows: Iterable[Row], broken: Sequence[Broken]) -> None:
    """The numbers of the run, then every promise with how often it was broken."""
    table = Table("what", "result", title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    table.add_section()
    counts = Counter(item.promise for item in broken)
    for promise in Promise:
        table.add_row(promise, str(counts[promise]), style="bold red" if counts[promise] else None)
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)


def explain(broken: Sequence[Broken], dsn: str) -> None:
    """The first few of each kind, with what `varsel show` has on each."""
    for promise in Promise:
        items = [item for item in broken if item.promise is promise]
        for item in items[:EXPLAINED]:
            print(f"\n{promise}: {item.what}")
            if item.order_id is not None:
                print("\n".join(f"    {line}" for line in _history(item.order_id, item.address, dsn)))
        if len(items) > EXPLAINED:
            print(f"\n{promise}: and {len(items) - EXPLAINED} more")


def _history(order_id: str, address: str | None, dsn: str) -> list[str]:
    """The order's head and the block of the one address."""
    shown = subprocess.run(
        [sys.executable, "-m", "varsel", "show", order_id],
        env=os.environ | {"VARSEL_DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        timeout=SHOW_LIMIT,
    )
    if shown.returncode != 0:
        return [f"varsel show: {shown.stderr.strip()}"]
    head, *blocks = shown.stdout.split("\n\n")
    lines = head.splitlines()
    for block in blocks:
        if address is not None and block.startswith(f"{address} "):
            lines += block.splitlines()
    return lines
