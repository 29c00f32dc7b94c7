"""The loops of a worker, and how they end."""

import asyncio
from datetime import timedelta

import pytest

from varsel.worker import _pause

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure


@pytest.mark.parametrize("ticks", range(6))
async def test_a_loop_that_is_woken_and_cancelled_at_the_same_time_ends(ticks: int) -> None:
    woken = asyncio.Event()

    async def loop() -> None:
        while True:
            await _pause(timedelta(hours=1), woken)
            woken.clear()

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    woken.set()
    for _ in range(ticks):
        await asyncio.sleep(0)

    task.cancel()

    done, _ = await asyncio.wait({task}, timeout=LIMIT)
    assert done == {task}
    assert task.cancelled()
