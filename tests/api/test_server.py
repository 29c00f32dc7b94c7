"""The HTTP server's own bounds: endless or absent heads, bodies that stop coming."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message

from tests.api.served import served
from varsel.api import read_body, server
from varsel.api.read_body import BodyTooSlow
from varsel.api.routing import Application, resource
from varsel.api.server import HEAD_LIMIT

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
LARGE = bytes(range(256)) * 20_000  # more than any socket's buffer holds
PIECES = 500
HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def echo(request: Request) -> Response:
    try:
        return PlainTextResponse(str(len(await read_body.read_body(request, 10_000_000))))
    except BodyTooSlow:
        return Response(None, 408)


async def large(request: Request) -> Response:
    return Response(LARGE)


async def in_pieces(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(PIECES):
            yield b"%d " % number

    return StreamingResponse(pieces())


@dataclass
class Held:
    """An endpoint that answers when it may."""

    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: Request) -> Response:
        self.was_asked.set()
        await self.may_answer.wait()
        return PlainTextResponse("held")


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def stop() -> asyncio.Event:
    """Stops the server."""
    return asyncio.Event()


@pytest.fixture
async def port(held: Held, stop: asyncio.Event) -> AsyncIterator[int]:
    resources = [
        resource("/echo", POST=echo),
        resource("/large", GET=large),
        resource("/pieces", GET=in_pieces),
        resource("/held", GET=held.answer),
    ]
    async with served(Application(None, resources, {}), stop) as port:
        yield port


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


def get(path: str, *headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in [f"GET {path} HTTP/1.1", "Host: x", *headers, ""]).encode()


def echo_of(size: int, *, closes: bool = False) -> bytes:
    connection = b"Connection: close\r\n" if closes else b""
    return HEAD + connection + b"Content-Length: %d\r\n\r\n" % size + b"x" * size


def bodies(answers: bytes) -> list[bytes]:
    """Those of answers that stand behind one another and say how long they are."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        [length] = [int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        found.append(rest[:length])
        answers = rest[length:]
    return found


async def after(seconds: float) -> None:
    """Wait for the loop's clock."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


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


async def test_requests_behind_one_another_are_answered_in_their_order(port: int) -> None:
    requests = b"".join(echo_of(size) for size in range(20)) + echo_of(20, closes=True)

    answers = await answer_to(port, requests)

    assert bodies(answers) == [b"%d" % size for size in range(21)]


async def test_a_request_behind_one_that_is_not_answered_yet_waits_for_its_turn(port: int, held: Held) -> None:
    asking = asyncio.create_task(answer_to(port, get("/held") + echo_of(7, closes=True)))
    async with asyncio.timeout(LIMIT):
        await held.was_asked.wait()

    held.may_answer.set()

    assert bodies(await asking) == [b"held", b"7"]


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_requests_may_come_in_small_pieces(port: int, size: int) -> None:
    requests = echo_of(3) + echo_of(4, closes=True)

    answers = await answer_to(port, *(requests[start : start + size] for start in range(0, len(requests), size)))

    assert bodies(answers) == [b"3", b"4"]


async def test_a_large_answer_arrives_whole_before_the_connection_closes(port: int) -> None:
    answer = await answer_to(port, get("/large", "Connection: close"))

    assert bodies(answer) == [LARGE]


async def test_large_answers_behind_one_another_arrive_whole(port: int) -> None:
    answers = await answer_to(port, get("/large") * 3 + get("/large", "Connection: close"))

    assert bodies(answers) == [LARGE] * 4


async def test_an_answer_in_many_pieces_arrives_whole_and_in_order(port: int) -> None:
    answer = await answer_to(port, get("/pieces", "Connection: close"))

    chunks = answer.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert b"".join(chunks[1::2]) == b"".join(b"%d " % number for number in range(PIECES))
    assert answer.endswith(b"\r\n0\r\n\r\n")


async def test_a_client_of_http_1_0_gets_its_answer_and_the_end_of_the_connection(port: int) -> None:
    answer = await answer_to(port, b"GET /large HTTP/1.0\r\n\r\n")

    assert bodies(answer) == [LARGE]


async def test_a_client_that_asks_whether_to_go_on_is_told_to(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(LIMIT):
        writer.write(HEAD + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n")
        go_on = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"{}")

        answer = await reader.read()

    writer.close()
    assert go_on == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert bodies(answer) == [b"2"]


async def test_what_is_no_http_is_told_so(port: int) -> None:
    answer = await answer_to(port, b"EHLO x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.endswith(b"Invalid HTTP request received.")


async def test_an_answer_under_way_when_the_server_stops_arrives_whole(
    port: int, held: Held, stop: asyncio.Event
) -> None:
    asking = asyncio.create_task(answer_to(port, get("/held")))
    async with asyncio.timeout(LIMIT):
        await held.was_asked.wait()
    stop.set()
    await asyncio.sleep(0)  # lets it begin

    held.may_answer.set()

    assert bodies(await asking) == [b"held"]


async def first_answer(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which one request has been answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(LIMIT):
        writer.write(echo_of(5))
        await reader.readuntil(b"\r\n\r\n5")
    return reader, writer


async def test_the_head_of_a_later_request_may_not_be_endless_either(port: int) -> None:
    reader, writer = await first_answer(port)

    answer = b""
    try:
        async with asyncio.timeout(LIMIT):
            writer.write(HEAD)
            for _ in range(1_000):
                writer.write(b"X: %s\r\n" % (b"x" * 10_000))
                await writer.drain()
            answer = await reader.read()
    except ConnectionError:
        pass  # closed while we wrote

    writer.close()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_the_heads_of_all_requests_together_may_be_larger_than_one(port: int) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8_000) for number in range(HEAD_LIMIT // 4 // 8_192))
    request = HEAD + headers + b"Content-Length: 1\r\n"

    answers = await answer_to(port, *[request + b"\r\nx"] * 8, request + b"Connection: close\r\n\r\nx")

    assert bodies(answers) == [b"1"] * 9


async def test_the_head_of_a_later_request_may_not_stop_coming_either(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_TIMEOUT", 0.3)
    reader, writer = await first_answer(port)

    writer.write(HEAD)

    async with asyncio.timeout(LIMIT):
        assert await reader.read() == b""
    writer.close()


async def test_a_body_may_take_longer_than_a_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_TIMEOUT", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{")
    await after(0.5)

    writer.write(b"}")

    async with asyncio.timeout(LIMIT):
        assert bodies(await reader.read()) == [b"2"]
    writer.close()


async def test_an_answer_may_take_longer_than_a_head(port: int, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_TIMEOUT", 0.3)
    asking = asyncio.create_task(answer_to(port, get("/held", "Connection: close")))
    async with asyncio.timeout(LIMIT):
        await held.was_asked.wait()
    await after(0.5)

    held.may_answer.set()

    assert bodies(await asking) == [b"held"]


def request_of(pieces: Sequence[Message], *, pause: float = 0.0) -> Request:
    """A request whose body comes in these messages, each after a pause, and then no more."""
    coming = iter(pieces)

    async def receive() -> Message:
        await after(pause)
        message = next(coming, None)
        if message is None:
            await asyncio.Event().wait()
        assert message is not None
        return message

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    return Request(scope, receive)


def piece(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_may_take_longer_than_the_time_between_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_body, "CHUNK_TIMEOUT", 0.4)
    request = request_of([*[piece(b"x")] * 9, piece(b"y", more=False)], pause=0.05)

    assert await asyncio.wait_for(read_body.read_body(request, 10), LIMIT) == b"xxxxxxxxxy"


async def test_a_body_that_is_slow_is_an_error_and_leaves_the_task_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_body, "CHUNK_TIMEOUT", 0.02)

    with pytest.raises(BodyTooSlow):
        await read_body.read_body(request_of([piece(b"x")]), 10)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await read_body.read_body(request_of([piece(b"x", more=False)]), 10) == b"x"


async def test_who_gives_up_reading_is_not_told_that_the_body_is_slow() -> None:
    reading = asyncio.create_task(read_body.read_body(request_of([piece(b"x")]), 10))
    await asyncio.sleep(0)  # lets it begin

    reading.cancel()

    await asyncio.wait({reading}, timeout=LIMIT)
    assert reading.cancelled()


async def test_a_bound_around_the_reading_is_told_from_a_slow_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_body, "CHUNK_TIMEOUT", LIMIT)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await read_body.read_body(request_of([piece(b"x")]), 10)


async def test_a_body_that_came_in_time_is_not_cancelled_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_body, "CHUNK_TIMEOUT", 0.02)
    await read_body.read_body(request_of([piece(b"x", more=False)]), 10)

    await after(0.1)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
