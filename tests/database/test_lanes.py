"""Questions that share queries: who is asked for together, who gets which answer, and what an error costs."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from varsel.database.lanes import ENOUGH, LANES, MOST, Lanes
from varsel.errors import Overloaded

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure


class Numbers:
    """Answers each number with its double while its gate is open, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.errors: dict[int, BaseException] = {}  # by the number that causes them
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._at_once = 0
        self._changed = asyncio.Condition()

    async def answer_together(self, numbers: Sequence[int]) -> list[int]:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        async with self._changed:
            self.asked.append(list(numbers))
            self._changed.notify_all()
        try:
            await self.gate.wait()
        finally:
            self._at_once -= 1
        for number in numbers:
            if number in self.errors:
                raise self.errors[number]
        return [number * 2 for number in numbers]

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(LIMIT), self._changed:
            await self._changed.wait_for(lambda: len(self.asked) >= times)


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def lanes(numbers: Numbers) -> Lanes[int, int]:
    return Lanes(numbers.answer_together, waiting_limit=1_000)


async def answers(lanes: Lanes[int, int], asked: Sequence[int]) -> list[int | BaseException]:
    """What each of them gets who ask in the same turn of the event loop."""
    async with asyncio.timeout(LIMIT):
        return await asyncio.gather(*(lanes.ask(number) for number in asked), return_exceptions=True)


async def busy(lanes: Lanes[int, int], numbers: Numbers) -> "list[asyncio.Task[int]]":
    """Close the gate and have a query of negative numbers wait there in every lane."""
    numbers.gate.clear()
    tasks = []
    for lane in range(LANES):
        asked_before = len(numbers.asked)
        asked = range(ENOUGH if lane else 1)
        tasks += [asyncio.create_task(lanes.ask(-1 - number - lane * ENOUGH)) for number in asked]
        await numbers.until_asked(asked_before + 1)
    return tasks


async def begun(lanes: Lanes[int, int], asked: Sequence[int]) -> "list[asyncio.Task[int]]":
    """Those who ask these numbers, each in a turn of the event loop of its own."""
    tasks = []
    for number in asked:
        tasks.append(asyncio.create_task(lanes.ask(number)))
        await asyncio.sleep(0)  # lets it begin
    return tasks


async def test_what_is_asked_in_one_turn_of_the_event_loop_shares_a_query(
    lanes: Lanes[int, int], numbers: Numbers
) -> None:
    got = await answers(lanes, range(5))

    assert numbers.asked == [[0, 1, 2, 3, 4]]
    assert got == [0, 2, 4, 6, 8]


async def test_who_asks_while_nothing_is_under_way_waits_for_nobody(lanes: Lanes[int, int], numbers: Numbers) -> None:
    got = [await lanes.ask(number) for number in range(3)]

    assert numbers.asked == [[0], [1], [2]]
    assert got == [0, 2, 4]


async def test_what_is_asked_while_queries_are_under_way_is_asked_together_by_the_next(
    lanes: Lanes[int, int], numbers: Numbers
) -> None:
    under_way = await busy(lanes, numbers)
    waiting = await begun(lanes, range(5))
    asked_before = list(numbers.asked)

    numbers.gate.set()

    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*under_way, *waiting)
    assert [len(batch) for batch in asked_before] == [1, *[ENOUGH] * (LANES - 1)]
    assert numbers.asked == [*asked_before, [0, 1, 2, 3, 4]]


async def test_a_further_query_begins_only_for_enough_questions(lanes: Lanes[int, int], numbers: Numbers) -> None:
    numbers.gate.clear()
    first = await begun(lanes, [0])
    few = await begun(lanes, range(1, ENOUGH))
    asked_of_few = list(numbers.asked)

    last = await begun(lanes, [ENOUGH])
    await numbers.until_asked(2)

    assert asked_of_few == [[0]]
    assert numbers.asked == [[0], list(range(1, ENOUGH + 1))]
    numbers.gate.set()
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*first, *few, *last)


async def test_no_query_has_more_questions_than_allowed_and_no_more_queries_run_at_once(
    lanes: Lanes[int, int], numbers: Numbers
) -> None:
    asked = range(MOST * (LANES + 2) + 1)
    numbers.gate.clear()
    asking = asyncio.create_task(answers(lanes, asked))
    await numbers.until_asked(LANES)

    numbers.gate.set()

    assert await asking == [number * 2 for number in asked]
    assert [len(batch) for batch in numbers.asked] == [MOST] * (LANES + 2) + [1]
    assert [number for batch in numbers.asked for number in batch] == list(asked)
    assert numbers.most_at_once == LANES


async def test_an_error_about_one_question_costs_the_others_nothing(lanes: Lanes[int, int], numbers: Numbers) -> None:
    error = asyncpg.CheckViolationError("no such number")
    numbers.errors[2] = error

    got = await answers(lanes, range(4))

    assert got == [0, 2, error, 6]
    assert numbers.asked == [[0, 1, 2, 3], [0], [1], [2], [3]]


async def test_each_of_several_errors_reaches_the_one_whom_it_concerns(
    lanes: Lanes[int, int], numbers: Numbers
) -> None:
    numbers.errors.update({0: ValueError("nought"), 3: KeyError("three")})

    got = await answers(lanes, range(4))

    assert got == [numbers.errors[0], 2, 4, numbers.errors[3]]


async def test_an_error_about_the_only_question_is_not_asked_for_again(
    lanes: Lanes[int, int], numbers: Numbers
) -> None:
    numbers.errors[0] = ValueError("nought")

    got = await answers(lanes, [0])

    assert got == [numbers.errors[0]]
    assert numbers.asked == [[0]]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.DeadlockDetectedError("deadlock detected"),
        ConnectionResetError("connection lost"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_where_the_database_is_away_everybody_learns_it_at_once(
    lanes: Lanes[int, int], numbers: Numbers, error: Exception
) -> None:
    numbers.errors[2] = error

    got = await answers(lanes, range(4))

    assert got == [error] * 4
    assert numbers.asked == [[0, 1, 2, 3]]


async def test_a_question_that_was_given_up_stops_nobody(lanes: Lanes[int, int], numbers: Numbers) -> None:
    numbers.gate.clear()
    asking = [asyncio.create_task(lanes.ask(number)) for number in range(3)]
    await numbers.until_asked(1)
    asking[1].cancel()
    await asyncio.wait({asking[1]}, timeout=LIMIT)

    numbers.gate.set()

    async with asyncio.timeout(LIMIT):
        assert [await asking[0], await asking[2]] == [0, 4]
    assert asking[1].cancelled()
    assert numbers.asked == [[0, 1, 2]]


@pytest.mark.parametrize("error", [ValueError("one"), TimeoutError()], ids=lambda error: type(error).__name__)
async def test_an_error_about_a_question_that_was_given_up_stops_nobody(
    lanes: Lanes[int, int], numbers: Numbers, error: Exception
) -> None:
    numbers.errors[1] = error
    numbers.gate.clear()
    asking = [asyncio.create_task(lanes.ask(number)) for number in range(3)]
    await numbers.until_asked(1)
    asking[1].cancel()
    await asyncio.wait({asking[1]}, timeout=LIMIT)

    numbers.gate.set()

    async with asyncio.timeout(LIMIT):
        got = list(await asyncio.gather(asking[0], asking[2], return_exceptions=True))
    assert got == ([error] * 2 if isinstance(error, TimeoutError) else [0, 4])


async def test_after_everybody_in_a_query_has_given_up_the_next_is_answered(
    lanes: Lanes[int, int], numbers: Numbers
) -> None:
    under_way = await busy(lanes, numbers)
    for task in under_way:
        task.cancel()
    await asyncio.wait(under_way, timeout=LIMIT)
    numbers.gate.set()

    got = await answers(lanes, range(3))

    assert got == [0, 2, 4]


async def test_a_query_that_is_cancelled_leaves_nobody_waiting(lanes: Lanes[int, int], numbers: Numbers) -> None:
    numbers.errors[1] = asyncio.CancelledError()

    got = await answers(lanes, range(3))

    assert [type(answer) for answer in got] == [asyncio.CancelledError] * 3


async def test_beyond_the_waiting_limit_nothing_is_asked(numbers: Numbers) -> None:
    lanes = Lanes(numbers.answer_together, waiting_limit=ENOUGH)
    under_way = await busy(lanes, numbers)
    waiting = await begun(lanes, range(ENOUGH))

    refused = await answers(lanes, [ENOUGH, ENOUGH + 1])

    numbers.gate.set()
    async with asyncio.timeout(LIMIT):
        assert await asyncio.gather(*waiting) == [number * 2 for number in range(ENOUGH)]
        await asyncio.gather(*under_way)
    assert [type(answer) for answer in refused] == [Overloaded] * 2
    assert not {ENOUGH, ENOUGH + 1} & {number for batch in numbers.asked for number in batch}


async def test_after_all_that_can_go_wrong_questions_are_still_answered(numbers: Numbers) -> None:
    lanes = Lanes(numbers.answer_together, waiting_limit=8)
    numbers.errors |= {1: ValueError("one"), 11: TimeoutError(), 21: asyncio.CancelledError()}
    for first in (0, 10, 20):
        await answers(lanes, range(first, first + 4))
    under_way = await busy(lanes, numbers)
    waiting = await begun(lanes, range(30, 38))
    [refused] = await answers(lanes, [39])
    numbers.gate.set()
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*under_way, *waiting)

    got = await answers(lanes, range(40, 48))

    assert isinstance(refused, Overloaded)
    assert got == [number * 2 for number in range(40, 48)]


async def test_once_the_database_is_away_nobody_else_is_tried_alone(lanes: Lanes[int, int], numbers: Numbers) -> None:
    numbers.errors |= {0: ValueError("nought"), 2: TimeoutError()}

    got = await answers(lanes, range(6))

    assert numbers.asked == [[0, 1, 2, 3, 4, 5], [0], [1], [2]]
    assert got == [numbers.errors[0], 2, *[numbers.errors[2]] * 4]
