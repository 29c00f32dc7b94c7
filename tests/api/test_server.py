"""The HTTP server's own bounds: endless or absent heads, bodies that stop coming."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from varsel.api import read_body, server
from varsel.api.read_body import BodyTooSlow
from varsel.api.routing import Application, resource
from varsel.api.server import HEAD_LIMIT, HttpServer

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def echo(request: Request) -> Response:
    try:
        return PlainTextResponse(str(len(await read_body.read_body(request, 10_000_000))))
    except BodyTooSlow:
        return Response(None, 408)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    http, stop = HttpServer(Application(None, [resource("/echo", POST=echo)], {})), asyncio.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = asyncio.create_task(http.run_until(stop, listener))
        await http.wait_until_started()
        yield listener.getsockname()[1]
        stop.set()
        await running


async def answer_to(port: int, *pieces: bytes) -> bytes:
    """Everything that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(LIMIT):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_request_is_answered(port: int) -> None:
    answer = await answer_to(port, HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n2")


async def test_a_large_body_is_no_large_head(port: int) -> None:
    body = b"x" * (HEAD_LIMIT * 4)
    head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    assert (await answer_to(port, head, body)).endswith(b"%d" % len(body))


@pytest.mark.parametrize("piece", [b"A: b\r\n", b"x"], ids=["many headers", "one long header"])
async def test_a_head_without_an_end_is_given_up(port: int, piece: bytes) -> None:
    endless = (piece * (100_000 // len(piece)) for _ in range(1_000))

    answer = await answer_to(port, HEAD + b"X: ", *endless)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_a_client_that_sends_no_head_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_TIMEOUT", 0.05)

    assert await answer_to(port, HEAD) == b""
    assert await answer_to(port) == b""


async def test_a_body_that_stops_coming_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_body, "CHUNK_TIMEOUT", 0.05)

    answer = await answer_to(port, HEAD + b"Connection: close\r\nContent-Length: 9\r\n\r\n{")

    assert answer.startswith(b"HTTP/1.1 408")
