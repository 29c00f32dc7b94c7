"""One request and its answer: whole, within its limits, or none at all."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.outgoing.web_server import (
    Play,
    WebServer,
    http_answer,
    redirect,
    say_nothing,
    web_server,
)
from tests.transports.certificates import Authority
from varsel.outgoing.answer import CONNECTING_SHARE, Answer, NoAnswer, answer_to
from varsel.outgoing.clients import trusted_client

SIZE_LIMIT = 1000  # bytes
AMPLE = timedelta(seconds=5)
SHORT = timedelta(seconds=0.1)
SECRET = "hemmelig"
TARGET = f"/{SECRET}?code={SECRET}"
CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"


@pytest.fixture
async def client(server: WebServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with trusted_client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), httpx2.Limits()) as client:
        yield client


async def ask(client: httpx2.AsyncClient, url: str, within: timedelta = AMPLE, size_limit: int = SIZE_LIMIT) -> Answer:
    request = client.build_request("GET", url, headers={"Authorization": f"Bearer {SECRET}"})
    return await answer_to(client, request, within=within, size_limit=size_limit)


def endless(beginning: bytes, more: bytes) -> Play:
    """An answer that begins like this and then goes on and on, a few bytes at a time."""

    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while not writer.is_closing():
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0)  # so that everybody else has a turn

    return play


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 relay.test ESMTP\r\n")
    writer.close()


@pytest.mark.parametrize("status", [200, 201, 204, 301, 304, 400, 401, 403, 404, 429, 500, 503, 599])
async def test_whatever_the_status_is_the_answer_comes_with_it(
    server: WebServer, client: httpx2.AsyncClient, status: int
) -> None:
    server.answers["/"] = http_answer(status, X_Request_Id="7")

    answer = await ask(client, server.url)

    assert answer.status == status
    assert answer.headers["x-request-ID"] == "7"
    assert answer.content == b""


@pytest.mark.parametrize(
    "raw",
    [
        http_answer(body=b"content"),
        http_answer(body=b"content", Content_Encoding="identity"),
        http_answer(body=b"content", Content_Encoding="Identity"),
        b"HTTP/1.1 200 OK\r\n\r\ncontent",
        b"HTTP/1.0 200 OK\r\n\r\ncontent",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ncont\r\n3;x=y\r\nent\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 200 OK\r\n\r\ncontent",
    ],
    ids=range(7),
)
async def test_the_content_is_read_in_whatever_way_it_is_framed(
    server: WebServer, client: httpx2.AsyncClient, raw: bytes
) -> None:
    server.answers["/"] = raw

    assert (await ask(client, server.url)).content == b"content"


async def test_an_answer_may_be_as_large_as_the_limit(server: WebServer, client: httpx2.AsyncClient) -> None:
    server.answers["/"] = http_answer(body=b"x" * SIZE_LIMIT)

    assert len((await ask(client, server.url)).content) == SIZE_LIMIT


@pytest.mark.parametrize(
    "location", ["/elsewhere", "", "http://[", "http://:port", "mailto:x", "http://xn--0/", "\x01", "http://[::1%25]/"]
)
async def test_a_redirect_is_an_answer_and_is_not_followed(
    server: WebServer, client: httpx2.AsyncClient, location: str
) -> None:
    client.follow_redirects = True
    server.answers["/"] = redirect(location)

    answer = await ask(client, server.url)

    assert (answer.status, answer.headers["Location"]) == (302, location)
    assert server.targets == ["/"]


TOO_LARGE = {
    "by its own word": http_answer(body=b"x" * (SIZE_LIMIT + 1)),
    "without saying so": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (SIZE_LIMIT + 1),
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"64\r\n%b\r\n" % (b"x" * 100) * 11,
    "without an end": endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100),
    "in chunks without an end": endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}
UNREADABLE = {
    "gzip": http_answer(body=gzip.compress(b"x"), Content_Encoding="gzip"),
    "gzip without an end": endless(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", b"x" * 100),
    "a bomb": http_answer(body=gzip.compress(b"x" * 10**6), Content_Encoding="gzip"),
    "gzip in capitals": http_answer(body=gzip.compress(b"x"), Content_Encoding="GZIP"),
    "deflate": http_answer(body=b"x", Content_Encoding="deflate"),
    "br": http_answer(body=b"x", Content_Encoding="br"),
    "two encodings": http_answer(body=b"x", Content_Encoding="identity, gzip"),
    "an unknown encoding": http_answer(body=b"x", Content_Encoding=SECRET),
    "cut short": CUT_SHORT,
    "cut in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "cut before the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    "cut in a header": b"HTTP/1.1 200 OK\r\nContent-",
    "nothing at all": b"",
    "a header without an end": endless(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
    "headers without an end": endless(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n" * 100),
    "a status line without an end": endless(b"HTTP/1.1 200 ", b"x" * 1000),
    "a chunk's head without an end": endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000),
    "trailers without an end": endless(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: x\r\n" * 100
    ),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nxx",
    "a status that is none": b"HTTP/1.1 OK\r\n\r\n",
    "a mail server": b"220 relay.test ESMTP\r\n",
    "no protocol": bytes(range(256)),
    "TLS": b"\x16\x03\x03\x00\x02\x01\x00",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
}
TOO_SLOW = {
    "not a byte": say_nothing,
    "byte by byte": endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x"),
    "interim answers without an end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("raw", TOO_LARGE.values(), ids=list(TOO_LARGE))
async def test_an_answer_that_is_too_large_is_none(
    server: WebServer, client: httpx2.AsyncClient, raw: bytes | Play
) -> None:
    server.answers["/"] = raw

    with pytest.raises(NoAnswer, match=f"larger than {SIZE_LIMIT} bytes"):
        await ask(client, server.url)


@pytest.mark.parametrize("play", TOO_SLOW.values(), ids=list(TOO_SLOW))
async def test_an_answer_that_takes_too_long_is_none_however_it_spends_its_time(
    server: WebServer, client: httpx2.AsyncClient, play: Play
) -> None:
    server.answers["/"] = play

    with pytest.raises(NoAnswer, match=r"none within 0\.1 s"):
        await ask(client, server.url, SHORT, size_limit=10**9)


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=list(UNREADABLE))
async def test_what_cannot_be_read_as_a_whole_answer_is_none(
    server: WebServer, client: httpx2.AsyncClient, raw: bytes | Play
) -> None:
    server.answers["/"] = raw

    with pytest.raises(NoAnswer):
        await ask(client, server.url, size_limit=10**9)


@pytest.mark.parametrize("raw", [*TOO_LARGE.values(), *UNREADABLE.values(), *TOO_SLOW.values()])
async def test_an_error_tells_neither_address_nor_token_nor_content_and_leaves_nothing_open(
    server: WebServer, client: httpx2.AsyncClient, raw: bytes | Play
) -> None:
    server.answers[TARGET] = raw

    with pytest.raises(NoAnswer) as error:
        await ask(client, f"{server.url}{TARGET}", SHORT)

    assert not [told for told in ("127.0.0.1", str(server.port), SECRET) if told in str(error.value)]
    await server.wait_until_left()


async def test_what_comes_compressed_was_not_asked_for_in_this_way(
    server: WebServer, client: httpx2.AsyncClient
) -> None:
    await ask(client, server.url)

    [asked] = server.asked
    assert asked.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "url",
    [
        f"http://{SECRET * 8}.test/",
        f"http://..{SECRET}/",
        f"ftp://{SECRET}.test/",
        f"//{SECRET}.test/",
        f"/{SECRET}",
        f"http:///{SECRET}",
    ],
)
async def test_an_address_that_nobody_can_have_gives_no_answer(client: httpx2.AsyncClient, url: str) -> None:
    with pytest.raises(NoAnswer) as error:
        await ask(client, url)

    assert SECRET not in str(error.value)


@pytest.mark.parametrize("beyond", [-(2**16), 2**16, 2**32])
async def test_a_number_that_is_no_port_is_not_taken_for_another(
    server: WebServer, client: httpx2.AsyncClient, beyond: int
) -> None:
    with pytest.raises(NoAnswer, match="not a port"):
        await ask(client, f"http://127.0.0.1:{server.port + beyond}/")

    assert server.connections == 0


async def test_where_nobody_listens_there_is_no_answer(server: WebServer, client: httpx2.AsyncClient) -> None:
    async with web_server() as gone:
        pass

    with pytest.raises(NoAnswer):
        await ask(client, gone.url)


async def test_a_server_that_never_finishes_its_tls_handshake_is_left_before_the_time_is_up(
    server: WebServer, client: httpx2.AsyncClient
) -> None:
    with pytest.raises(NoAnswer, match="ConnectTimeout"):
        await ask(client, server.url.replace("http:", "https:"), CONNECTING_SHARE * SHORT)

    await server.wait_until_left()


async def test_a_tls_server_gives_no_answer_to_who_speaks_without_tls(
    client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    async with web_server(Authority(tmp_path).server()) as server:
        with pytest.raises(NoAnswer):
            await ask(client, server.url.replace("https:", "http:"))

        assert server.asked == []


async def test_a_server_without_tls_gives_no_answer_to_who_speaks_tls(tmp_path: Path) -> None:
    server = await asyncio.start_server(_greet, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async with server, httpx2.AsyncClient(timeout=None) as client:
        with pytest.raises(NoAnswer):
            await ask(client, url)


async def test_who_gives_up_asking_leaves_nothing_open(server: WebServer, client: httpx2.AsyncClient) -> None:
    server.answers["/"] = say_nothing
    asking = asyncio.create_task(ask(client, server.url))
    await server.wait_until_asked()

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.wait_until_left()
