"""UUID version 7 (RFC 9562 section 5.7): ids that ascend with time, so that indexes grow at their end."""

import secrets
import struct
import threading
import time
from datetime import datetime
from uuid import UUID

from asyncpg.pgproto import pgproto

_RANDOM_BITS = 74  # what version 7 leaves beside 48 bits of milliseconds, 4 of version and 2 of variant
_LOW_BITS = 62  # those of them that stand below the variant

# Ids are the driver's kind of UUID: like any other, but made and written five times as fast.

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A new id, greater than every one that this process made before."""
    return uuid7s(1)[0]


def uuid7s(count: int) -> list[UUID]:
    """New ids in ascending order, greater than every one that this process made before.

    Within a millisecond (or when the clock steps back) the next id is the last one plus a random step, as
    RFC 9562 section 6.2 (method 2) allows; so the ids of one order stay in the order of its recipients.
    """
    global _last
    numbers = []
    # All steps at once, for each call asks the system.
    steps = struct.unpack(f"{count}I", secrets.token_bytes(4 * count))
    milliseconds = time.time_ns() // 1_000_000
    with _lock:
        for step in steps:
            if milliseconds > _last >> _RANDOM_BITS:
                _last = milliseconds << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
            else:
                _last += 1 + step
            numbers.append(_last)
    return [_as_uuid(number) for number in numbers]


def read_uuid(text: str) -> UUID:
    """The UUID in a text of 32 hexadecimal digits, with or without hyphens, as the driver makes them."""
    return pgproto.UUID(text)


def _as_uuid(number: int) -> UUID:
    timestamp, random = number >> _RANDOM_BITS, number & ((1 << _RANDOM_BITS) - 1)
    high, low = random >> _LOW_BITS, random & ((1 << _LOW_BITS) - 1)
    whole = timestamp << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return pgproto.UUID(whole.to_bytes(16, "big"))


def first_uuid7_at(moment: datetime) -> UUID:
    """The least id that can have been made at that moment: ids before it are older."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80 | 0x7 << 76 | 0b10 << 62)
