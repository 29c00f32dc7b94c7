"""A web server of this machine."""

from collections.abc import AsyncIterator

import pytest

from tests.outgoing.web_server import WebServer, web_server


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with web_server() as server:
        yield server
