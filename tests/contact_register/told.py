"""A call of tests, and what is said where nothing is told."""

import pytest
from msgspec import Struct

from tests.contact_register.played_register import played_register
from varsel.contact_register.calls import Calls
from varsel.errors import RegisterUnavailable

PATH = "/lookup"
ASKED = {"numbers": ["01018045678"]}
PAGE = b"<!DOCTYPE html><html><body>We are back soon.</body></html>"


class Told(Struct):
    """An answer."""

    number: int


async def reason_of(calls: Calls, path: str = PATH) -> str:
    """What is said of a call that gets no answer that can be used."""
    with pytest.raises(RegisterUnavailable) as raised:
        await calls.post(path, ASKED, Told)
    return str(raised.value)


async def absent_url() -> str:
    """A port of this machine where nobody listens."""
    async with played_register() as played:
        return played.url
