"""How many claims a sender holds: with the rate of its relay, between the bounds."""

import asyncio

import pytest

from varsel.notifications.hand import WINDOW, Hand


async def test_a_new_hand_is_small() -> None:
    assert Hand(least=8, most=256).size == 8


@pytest.mark.parametrize(("finished", "size"), [(2, 8), (60, 61), (5_000, 256)])
async def test_the_hand_holds_what_was_finished_in_the_last_window_between_its_bounds(
    monkeypatch: pytest.MonkeyPatch, finished: int, size: int
) -> None:
    hand = Hand(least=8, most=256)
    now = 1_000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    hand.note_finished()  # opens the first window
    for _ in range(finished):
        hand.note_finished()
    now += WINDOW

    hand.note_finished()

    assert hand.size == size


async def test_the_hand_shrinks_when_the_relay_becomes_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Hand(least=8, most=256)
    now = 1_000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    for _ in range(500):
        hand.note_finished()
    now += WINDOW
    hand.note_finished()
    assert hand.size == 256
    now += 10.0

    hand.note_finished()

    assert hand.size == 8


async def test_a_small_hand_is_refilled_at_once_and_a_large_one_at_half(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Hand(least=8, most=256)
    assert hand.refill_at == 7
    now = 1_000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    for _ in range(100):
        hand.note_finished()
    now += WINDOW
    hand.note_finished()

    assert hand.refill_at == hand.size // 2
