"""Pace: so many mails in any second, evenly, and a wait that is broken off costs nobody a turn."""

import asyncio

import pytest

from varsel.transports.pace import Pace


class FakeTime:
    """A clock that only sleeping moves; `held` keeps the next sleeper asleep."""

    def __init__(self) -> None:
        self.now = 100.0
        self.held: asyncio.Event | None = None
        self.is_asleep = asyncio.Event()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.is_asleep.set()
        if self.held is not None:
            await self.held.wait()
        self.now += seconds


async def turns(pace: Pace, time: FakeTime, count: int) -> list[float]:
    async def turn() -> float:
        await pace.turn()
        return time.now

    return await asyncio.gather(*(turn() for _ in range(count)))


@pytest.mark.parametrize("rate", [0.5, 1, 10, 1000])
async def test_no_second_sees_more_mails_than_allowed(rate: float) -> None:
    time = FakeTime()

    taken = await turns(Pace(rate, clock=time, sleep=time.sleep), time, int(rate * 3) + 2)

    for start in taken:
        assert sum(start <= moment < start + 1 - 1e-6 for moment in taken) <= max(rate, 1)
    assert taken[-1] - taken[0] == pytest.approx((len(taken) - 1) / rate)


async def test_a_quiet_time_saves_no_turns_up() -> None:
    time = FakeTime()
    pace = Pace(10, clock=time, sleep=time.sleep)
    await turns(pace, time, 1)
    time.now += 3600

    taken = await turns(pace, time, 11)

    assert taken[-1] - taken[0] == pytest.approx(1)


async def test_without_a_limit_nobody_waits() -> None:
    time = FakeTime()

    assert await turns(Pace(None, clock=time, sleep=time.sleep), time, 1000) == [100.0] * 1000


async def test_a_wait_that_is_broken_off_takes_no_turn() -> None:
    time = FakeTime()
    pace = Pace(1, clock=time, sleep=time.sleep)
    await pace.turn()
    time.held = asyncio.Event()
    waiting = [asyncio.create_task(pace.turn()) for _ in range(5)]
    await time.is_asleep.wait()
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    time.held = None

    assert await turns(pace, time, 2) == [101.0, 102.0]
