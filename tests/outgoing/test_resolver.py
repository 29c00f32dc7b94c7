"""Looking names up: each address once, and a bounded number of look-ups, whoever gives up waiting."""

import asyncio
from ipaddress import ip_address
from threading import Thread

import pytest

from varsel.outgoing.resolver import AT_ONCE, Resolver


async def test_a_name_has_each_of_its_addresses_once() -> None:
    addresses = await Resolver().addresses("localhost", 80)

    assert len(addresses) == len(set(addresses)) > 0
    assert all(ip_address(address).is_loopback for address in addresses)


@pytest.mark.parametrize(("host", "error"), [("", OSError), ("a..b", UnicodeError), ("x" * 64, UnicodeError)])
async def test_what_is_no_name_has_none(host: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await Resolver().addresses(host, 80)


async def test_where_the_system_has_no_thread_left_nothing_is_looked_up_and_no_place_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = Resolver()

    def no_thread_left(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as scarce:
        scarce.setattr(Thread, "start", no_thread_left)
        for _ in range(AT_ONCE + 1):
            with pytest.raises(OSError, match="no thread left"):
                await resolver.addresses("127.0.0.1", 80)

    async with asyncio.timeout(5):
        assert await resolver.addresses("127.0.0.1", 80) == ["127.0.0.1"]


async def test_a_look_up_that_nobody_waits_for_any_more_makes_room_when_it_is_through() -> None:
    resolver = Resolver()
    for _ in range(AT_ONCE + 1):
        look_up = asyncio.create_task(resolver.addresses("localhost", 80))
        await asyncio.sleep(0)  # so that it begins
        look_up.cancel()

    async with asyncio.timeout(5):
        assert await resolver.addresses("127.0.0.1", 80) == ["127.0.0.1"]
