"""What is said on a connection, and the replies: in their order, however they come, and never for ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.transports.raw_relay import LIMIT
from varsel.transports.dialogue import LINE_LIMIT, REPLY_LIMIT, Dialogue, Reply

LONG = 1_000.0  # seconds; no test waits so long


class Line:
    """A connection over loopback: the dialogue at one end, the test at the other."""

    def __init__(self, dialogue: Dialogue, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialogue = dialogue
        self.reader = reader
        self.writer = writer

    def say(self, count: int, *, patience: float = LONG, by: float = float("inf")) -> "Sequence[asyncio.Future[Reply]]":
        return self.dialogue.say(b"NOOP\r\n" * count, replies=count, patience=patience, by=by)

    def comes(self, *pieces: bytes) -> None:
        """As if the other side's bytes came in these pieces."""
        for piece in pieces:
            self.dialogue.data_received(piece)

    async def heard(self) -> bytes:
        """All that the other side hears until the connection ends."""
        async with asyncio.timeout(LIMIT):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    reader, writer = await accepted.get()
    dialogue = Dialogue(transport, ["PIPELINING", "Size"])
    yield Line(dialogue, reader, writer)
    dialogue.close()
    writer.transport.abort()
    server.close()


async def replies(futures: "Sequence[asyncio.Future[Reply]]") -> list[Reply | BaseException]:
    async with asyncio.timeout(LIMIT):
        return list(await asyncio.gather(*futures, return_exceptions=True))


def is_lost(answer: Reply | BaseException) -> bool:
    return isinstance(answer, ConnectionError)


async def test_extensions_are_known_in_lower_case(line: Line) -> None:
    assert [line.dialogue.offers(name) for name in ("pipelining", "size", "dsn")] == [True, True, False]


async def test_each_reply_goes_to_what_was_said_in_its_turn(line: Line) -> None:
    first = line.say(2)
    second = line.say(1)

    line.comes(b"250 one\r\n550 two\r\n354 three\r\n")

    assert await replies([*first, *second]) == [Reply(250, "one"), Reply(550, "two"), Reply(354, "three")]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1_000])
async def test_pieces_of_any_size_make_the_same_replies(line: Line, size: int) -> None:
    told = b"250-one\r\n250-two\r\n250 three\r\n354 go\r\n550-5.1.1 no\r\n550 5.1.1 really\r\n"
    futures = line.say(3)

    line.comes(*(told[start : start + size] for start in range(0, len(told), size)))

    assert await replies(futures) == [
        Reply(250, "one\ntwo\nthree"),
        Reply(354, "go"),
        Reply(550, "5.1.1 no\n5.1.1 really"),
    ]
    assert line.dialogue.is_open


@pytest.mark.parametrize(
    ("told", "reply"),
    [
        (b"250\r\n", Reply(250, "")),
        (b"250 \r\n", Reply(250, "")),
        (b"250 Ok\n", Reply(250, "Ok")),
        (b"250-\r\n250\r\n", Reply(250, "\n")),
        (b"250-Ok\r\n550 No\r\n", Reply(550, "Ok\nNo")),  # which no relay should say: the last line decides
        (b"550 \xf8\r\n", Reply(550, "\udcf8")),
        ("550 ø\r\n".encode(), Reply(550, "ø")),
    ],
)
async def test_a_reply_is_code_and_text(line: Line, told: bytes, reply: Reply) -> None:
    futures = line.say(1)

    line.comes(told)

    assert await replies(futures) == [reply]


@pytest.mark.parametrize(
    "told", [b"\r\n", b"Hei\r\n", b"25\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"\xd9\xa2\xd9\xa5 Ok\r\n"]
)
async def test_what_is_no_reply_ends_the_dialogue(line: Line, told: bytes) -> None:
    futures = line.say(2)

    line.comes(told)

    first, second = await replies(futures)
    assert isinstance(first, Reply)
    assert first.code == 0
    assert is_lost(second)
    assert not line.dialogue.is_open


@pytest.mark.parametrize("told", [b"421 4.3.2 Bye\r\n", b"250 Ok\r\n", b"Hei\r\n"])
async def test_what_nobody_asked_for_ends_the_dialogue(line: Line, told: bytes) -> None:
    line.comes(told)

    assert not line.dialogue.is_open
    assert await line.heard() == b""


async def test_a_reply_too_many_ends_the_dialogue_and_is_nobodys(line: Line) -> None:
    futures = line.say(1)

    line.comes(b"250 Ok\r\n250 Ok\r\n")

    assert await replies(futures) == [Reply(250, "Ok")]
    assert not line.dialogue.is_open
    assert [is_lost(answer) for answer in await replies(line.say(2))] == [True, True]


async def test_an_endless_line_is_cut(line: Line) -> None:
    futures = line.say(1)

    line.comes(b"250 ", *[b"x" * 1_000] * (LINE_LIMIT // 1_000 + 1))

    [answer] = await replies(futures)
    assert is_lost(answer)
    assert not line.dialogue.is_open


async def test_a_long_line_is_none_too_long(line: Line) -> None:
    futures = line.say(1)

    line.comes(b"250 ", b"x" * (LINE_LIMIT - 4), b"\r\n")

    assert await replies(futures) == [Reply(250, "x" * (LINE_LIMIT - 4))]


async def test_an_endless_reply_of_many_lines_is_cut(line: Line) -> None:
    futures = line.say(1)

    line.comes(*[b"250-" + b"x" * 100 + b"\r\n"] * (REPLY_LIMIT // 100 + 1))

    [answer] = await replies(futures)
    assert is_lost(answer)
    assert not line.dialogue.is_open


async def test_an_endless_reply_of_empty_lines_is_cut(line: Line) -> None:
    futures = line.say(1)

    line.comes(*[b"250-\r\n" * 1_000] * (REPLY_LIMIT // 4_000 + 2))

    [answer] = await replies(futures)
    assert is_lost(answer)


async def test_many_long_replies_are_not_one_endless_one(line: Line) -> None:
    told = (b"250-" + b"x" * 1_000 + b"\r\n") * 40 + b"250 Ok\r\n"
    futures = line.say(4)

    line.comes(*[told] * 4)

    assert [isinstance(answer, Reply) and answer.code for answer in await replies(futures)] == [250] * 4
    assert line.dialogue.is_open


async def test_a_lost_connection_is_told_to_everybody(line: Line) -> None:
    futures = line.say(3)
    line.comes(b"250 Ok\r\n")

    line.writer.transport.abort()

    first, *others = await replies(futures)
    assert first == Reply(250, "Ok")
    assert [is_lost(answer) for answer in others] == [True, True]
    assert not line.dialogue.is_open


async def test_on_a_closed_dialogue_nothing_is_said(line: Line) -> None:
    line.dialogue.close()

    futures = line.say(2)

    assert [is_lost(answer) for answer in await replies(futures)] == [True, True]
    assert await line.heard() == b""


async def test_a_reply_that_does_not_come_in_time_ends_everything(line: Line) -> None:
    first = line.say(1, patience=0.02)
    second = line.say(1)

    assert [type(answer) for answer in await replies([*first, *second])] == [TimeoutError] * 2
    assert not line.dialogue.is_open


async def test_patience_begins_when_a_reply_is_the_next(line: Line) -> None:
    loop = asyncio.get_running_loop()
    [first] = line.say(1)
    [second] = line.say(1, patience=0.05)
    begun = loop.time()
    await asyncio.wait({first}, timeout=0.1)  # longer than the patience of the second
    assert not second.done()

    line.comes(b"250 Ok\r\n")

    [answer] = await replies([second])
    assert await first == Reply(250, "Ok")
    assert isinstance(answer, TimeoutError)
    assert loop.time() - begun >= 0.12


async def test_a_due_time_bounds_a_reply_however_patient_we_are(line: Line) -> None:
    futures = line.say(1, by=asyncio.get_running_loop().time() + 0.02)

    [answer] = await replies(futures)

    assert isinstance(answer, TimeoutError)


async def test_a_due_time_that_passed_behind_another_reply_is_noticed_at_once(line: Line) -> None:
    loop = asyncio.get_running_loop()
    [first] = line.say(1)
    [second] = line.say(1, by=loop.time() + 0.01)
    await asyncio.wait({second}, timeout=0.05)
    assert not second.done()  # the reply before it has the right to its own time

    line.comes(b"250 Ok\r\n")

    [answer] = await replies([second])
    assert await first == Reply(250, "Ok")
    assert isinstance(answer, TimeoutError)


async def test_a_shorter_patience_counts_after_a_longer_one(line: Line) -> None:
    [first] = line.say(1)
    line.comes(b"250 Ok\r\n")
    await first

    [second] = line.say(1, patience=0.02)

    assert [type(answer) for answer in await replies([second])] == [TimeoutError]


async def test_replies_that_come_in_time_outlive_the_patience_of_those_before(line: Line) -> None:
    [first] = line.say(1, patience=0.05)
    line.comes(b"250 one\r\n")
    [second] = line.say(1)
    await asyncio.wait({second}, timeout=0.1)  # the patience for the first is over by now

    line.comes(b"250 two\r\n")

    assert await replies([first, second]) == [Reply(250, "one"), Reply(250, "two")]
    assert line.dialogue.is_open


async def test_a_reply_that_nobody_waits_for_any_more_keeps_its_place(line: Line) -> None:
    first, second, third = line.say(3)
    second.cancel()

    line.comes(b"250 one\r\n250 two\r\n250 three\r\n")

    assert await replies([first, third]) == [Reply(250, "one"), Reply(250, "three")]


async def test_closing_hangs_up_after_what_was_said(line: Line) -> None:
    futures = line.say(1)

    line.dialogue.close()

    assert await line.heard() == b"NOOP\r\n"
    assert [is_lost(answer) for answer in await replies(futures)] == [True]
