"""A register that is played, and the client that asks it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest

from tests.contact_register.played_register import (
    PlayedRegister,
    altinn_registers,
    calls_to,
    plain_client,
    played_register,
)
from varsel.contact_register import calls as calls_module
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.calls import Calls


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried twice is tried at once."""
    monkeypatch.setattr(calls_module, "BETWEEN_TRIES", timedelta(0))


@pytest.fixture
async def played() -> AsyncIterator[PlayedRegister]:
    async with played_register() as played:
        yield played


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with plain_client() as client:
        yield client


@pytest.fixture
def calls(played: PlayedRegister, http: httpx2.AsyncClient) -> Calls:
    return calls_to(played.url, http)


@pytest.fixture
def registers(played: PlayedRegister, http: httpx2.AsyncClient) -> AltinnRegisters:
    """Profile and Register, with a policy decision point."""
    return altinn_registers(played, http, decides=True)
