"""The benchmark suite's own honesty: its yardsticks do the product's work, and what spoils a figure is noticed."""

import re
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from socket import create_connection

import pytest

from bench.delay_proxy import delay_proxy
from bench.figure import Figure, Yardstick, interleaved
from bench.fill import BLOCK, HISTORY, NOTIFICATIONS, ORDERS, PICKS, order_id
from bench.relay_thread import relay_thread
from bench.request_log import Asked, Log
from bench.results import Results
from bench.tool import Tool
from bench.unsound import Unsound
from bench.yardstick_sql import get_script, post_script
from tests.relay import ScriptedRelay
from varsel.database.connect import Pool


def sql_of(script: str, **variables: int) -> list[str]:
    """The statements of a pgbench script, with its variables replaced."""
    lines = "\n".join(line for line in script.splitlines() if not line.startswith("\\"))
    for name, value in variables.items():
        lines = re.sub(rf"(?<!:):{name}\b", str(value), lines)
    return [statement for statement in lines.split(";\n") if statement.strip()]


@pytest.mark.parametrize("size", [1, 10, 1_000])
async def test_the_yardstick_of_get_reads_all_notifications_of_an_order(pool: Pool, size: int) -> None:
    for statement in (ORDERS, NOTIFICATIONS, HISTORY):
        await pool.execute(statement.format(first=0, last=BLOCK - 1))
    number = PICKS[size].start + PICKS[size].step * (PICKS[size].count - 1)

    [page] = [await pool.fetchrow(statement) for statement in sql_of(get_script(size, 1), n=number)]

    assert page is not None
    assert len(page["ids"]) == size
    assert await pool.fetchval("SELECT count(*) FROM notifications WHERE order_id = $1", order_id(number)) == size


@pytest.mark.parametrize("size", [1, 100])
async def test_the_yardstick_of_post_writes_an_order_that_is_due(pool: Pool, size: int) -> None:
    async with pool.acquire() as conn:
        for statement in sql_of(post_script(size), client_id=3):
            await conn.execute(statement)

    assert await pool.fetchval("SELECT status FROM orders") == "Processed"
    counts = await pool.fetchrow("SELECT count(DISTINCT id), count(next_attempt_at) FROM notifications")
    assert tuple(counts or ()) == (size, size)


def test_the_delay_proxy_delays_each_way_and_limits_nothing() -> None:
    commands = 200

    with (
        relay_thread(ScriptedRelay()) as port,
        delay_proxy(port, 20.0) as (near, _),
        create_connection(("127.0.0.1", near)) as connection,
        connection.makefile("rb") as replies,
    ):
        replies.readline()
        began_at = time.perf_counter()
        for _ in range(commands):
            connection.sendall(b"NOOP\r\n")
        answers = [replies.readline() for _ in range(commands)]
        took = time.perf_counter() - began_at

    assert {answer[:3] for answer in answers} == {b"250"}
    assert 0.04 <= took < commands * 0.04 / 2


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    figure = Figure("GET", "requests/s", [10.0, 300.0, 20.0], Yardstick("pgbench", [20.0, 400.0, 200.0]))

    assert figure.ratio == 0.5


def test_rounds_go_from_one_to_the_other() -> None:
    clock = count()

    taken = interleaved(2, lambda: float(next(clock)), lambda: float(next(clock)))

    assert taken == [[0.0, 2.0], [1.0, 3.0]]


def test_a_run_replaces_its_own_sections_only(tmp_path: Path) -> None:
    conditions: Mapping[str, str] = {"kernel": "Linux 6"}
    results = Results("results", tmp_path)
    results.put("get", conditions, [Figure("GET 1", "requests/s", [1.0])])
    results.put("post", conditions, [Figure("POST 1", "orders/s", [2.0])])

    results.put("get", conditions, [], unsound="wrk took a whole core")

    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "POST 1" in text
    assert "GET 1" not in text
    assert "wrk took a whole core" in text


def answered(*, status: int = 200, late: float = 0.0) -> Asked:
    """One request, and its answer a millisecond later."""
    return Asked(1, 5.0, 5.0 + late, 5.001 + late, status)


@pytest.mark.parametrize(
    "log",
    [
        Log([answered(), answered(status=503)], cores=0.1),
        Log([answered(), answered(status=0)], cores=0.1),
        Log([answered(late=0.5)], cores=0.1),
        Log([answered()], cores=0.99),
    ],
    ids=["refused", "unanswered", "late", "whole core"],
)
def test_a_load_that_was_not_what_it_should_be_is_unsound(log: Log) -> None:
    with pytest.raises(Unsound):
        log.check()


def test_a_tool_that_fails_is_unsound() -> None:
    tool = Tool(["sh", "-c", "echo no such thing >&2; exit 3"])

    with pytest.raises(Unsound, match="exit code 3: no such thing"):
        tool.wait()
