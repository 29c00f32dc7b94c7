"""Several questions at the same time, each of which has to be answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(*questions: Coroutine[Any, Any, T]) -> list[T]:
    """The answers, in order; where one is missing, its error is raised and nobody asks on for the others."""
    tasks = [asyncio.create_task(question, name="ask a register") for question in questions]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
