"""Nobody gets us to ask a server inside: not by any way to write its address, and not by a redirect."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from tests.outgoing.conditions import MET, send_conditions
from tests.outgoing.web_server import WebServer, http_answer, redirect, say_nothing, web_server
from varsel.orders.send_condition import REDIRECTS_LIMIT, Condition
from varsel.outgoing.answer import NoAnswer
from varsel.outgoing.guard import Refused

# Ways to write this machine's own address, each of which leads there unless it is guarded. {} is the port.
LEAD_HERE = """
    http://127.0.0.1:{}/  http://127.0.0.1:0{}/  HTTP://127.0.0.1:{}/  http://127.1:{}/  http://127.0.1:{}/
    http://2130706433:{}/  http://0x7f000001:{}/  http://0X7F000001:{}/  http://0x7f.1:{}/  http://0x7f.0x0.0x0.0x1:{}/
    http://0177.1:{}/  http://017700000001:{}/  http://0:{}/  http://0.0.0.0:{}/  http://0x0:{}/
    http://localhost:{}/  http://LOCALHOST:{}/  http://LocalHost:{}/
    http://[::ffff:127.0.0.1]:{}/  http://[::ffff:7f00:1]:{}/  http://[::FFFF:7F00:0001]:{}/
    http://[0:0:0:0:0:ffff:127.0.0.1]:{}/  http://[::ffff:0.0.0.0]:{}/
    http://example.com@127.0.0.1:{}/  http://example.com:80@127.0.0.1:{}/  http://a@b@127.0.0.1:{}/
    http://:@127.0.0.1:{}/  http://example.com\\@127.0.0.1:{}/  http://example.com%2F@127.0.0.1:{}/
    http://127。0。0。1:{}/  http://127．0．0．1:{}/  http://127｡0｡0｡1:{}/
""".split()
LEAD_TO_IPV6 = """
    http://[::1]:{}/  http://[0:0:0:0:0:0:0:1]:{}/  http://[::0001]:{}/  http://[::1%1]:{}/
    http://user:password@[::1]:{}/  http://[::]:{}/
""".split()

# And some that lead nowhere, though they lead there in other programs. Those that are names to us, and so are asked of
# a name server, are tried in `guarded_names.py`.
LEAD_NOWHERE = [
    "http://0177.0.0.1:{}/",
    "http://0x7f.0.0.1:{}/",
    "http://127.0.0.0x1:{}/",
    "http://00000127.0.0.1:{}/",
    "http://127.0.0.256:{}/",
    "http://１２７.0.0.1:{}/",
    "http://①②⑦.⓪.⓪.①:{}/",
    "http://ⓛocalhost:{}/",
    "http://[::ffff:127.1]:{}/",
    "http://[127.0.0.1]:{}/",
    "http://[::1:{}/",
    "http://[::1%25lo]:{}/",
    "http://127.0.0.1\t:{}/",
    "http://127.0.0.1\n:{}/",
    "http://\r\n127.0.0.1:{}/",
    " http://127.0.0.1:{}/",
    "\thttp://127.0.0.1:{}/",
    "http:\\\\127.0.0.1:{}\\",
    "http:/127.0.0.1:{}/",
    "http:127.0.0.1:{}/",
    "http:///127.0.0.1:{}/",
    "http:////127.0.0.1:{}/",
    "//127.0.0.1:{}/",
    "127.0.0.1:{}/",
    "http://*:{}/",
    "ftp://127.0.0.1:{}/",
    "gopher://127.0.0.1:{}/",
    "dict://127.0.0.1:{}/",
    "ws://127.0.0.1:{}/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/{}",
    "file:///etc/passwd?{}",
    "data:application/json,{}",
    "{}",
    "",
]


@pytest.fixture
async def inside(server: WebServer) -> WebServer:
    """A server of this machine that nobody should reach; who does is told that the condition is met."""
    server.answers["/"] = http_answer(body=MET)
    return server


@pytest.fixture
async def inside_ipv6() -> AsyncIterator[WebServer]:
    """Another, on IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with web_server(host="::1") as server:
        server.answers["/"] = http_answer(body=MET)
        yield server


@pytest.mark.parametrize("form", [*LEAD_HERE, *LEAD_NOWHERE])
async def test_a_server_on_this_machine_is_not_reached_however_its_address_is_written(
    inside: WebServer, form: str
) -> None:
    async with send_conditions() as conditions:
        with pytest.raises(NoAnswer):
            await conditions.ask(form.format(inside.port))

    assert inside.connections == 0


@pytest.mark.parametrize("form", LEAD_HERE)
async def test_it_is_the_guard_that_keeps_us_from_it(inside: WebServer, form: str) -> None:
    async with send_conditions(private=True) as conditions:
        condition = await conditions.ask(form.format(inside.port))

    assert condition is Condition.MET
    assert inside.connections == 1


@pytest.mark.parametrize("form", LEAD_TO_IPV6)
async def test_a_server_on_this_machine_is_not_reached_over_ipv6_either(inside_ipv6: WebServer, form: str) -> None:
    async with send_conditions() as conditions:
        with pytest.raises(Refused):
            await conditions.ask(form.format(inside_ipv6.port))

    assert inside_ipv6.connections == 0


@pytest.mark.parametrize("form", LEAD_TO_IPV6)
async def test_over_ipv6_too_it_is_the_guard_that_keeps_us_from_it(inside_ipv6: WebServer, form: str) -> None:
    async with send_conditions(private=True) as conditions:
        assert await conditions.ask(form.format(inside_ipv6.port)) is Condition.MET


async def test_a_refusal_says_why_and_not_where(inside: WebServer) -> None:
    async with send_conditions() as conditions:
        with pytest.raises(Refused) as error:
            await conditions.ask(f"{inside.url}/")

    assert str(error.value) == "the address is not on the public internet"


@pytest.mark.parametrize(
    "location",
    [
        *[form for form in LEAD_HERE if "@" in form or "[" in form],
        "http://127.0.0.1:{}/",
        "http://localhost:{}/",
        "http://2130706433:{}/",
        "//127.0.0.1:{}/",
        "//localhost:{}/",
        "//first.test@127.0.0.1:{}/",
        "///127.0.0.1:{}/",
        "http:///127.0.0.1:{}/",
        "https://127.0.0.1:{}/",
        "http://first.test:80@127.0.0.1:{}/",
        "http://127.0.0.1:{}#first.test/",
        "http://127.0.0.1:{}?first.test/",
        "http://127.0.0.1:{}\\@first.test/",
        "ftp://127.0.0.1:{}/",
        "gopher://127.0.0.1:{}/_GET%20/",
        "ws://127.0.0.1:{}/",
        "file:///etc/passwd",
        "file://127.0.0.1/{}",
        "data:application/json,{{}}",
        "javascript:{}",
        "mailto:somebody@first.test",
        "http://127.0.0.1:port/{}",
        "http://[",
        "http://[::1",
        "//[",
        "http://",
        "\x01",
        "http://127.0.0.1:{}\t/",
    ],
)
async def test_a_redirect_leads_nowhere_that_its_own_address_would_not_lead(inside: WebServer, location: str) -> None:
    async with web_server() as first, send_conditions(hosts={"first.test": first.url}) as conditions:
        first.answers["/"] = redirect(location.format(inside.port))
        with pytest.raises(NoAnswer):
            await conditions.ask("http://first.test/")

    assert inside.connections == 0


@pytest.mark.parametrize(
    "location", ["/next", "next", "//first.test/next", "http://FIRST.test/next", "http://second.test/next", "?x=1"]
)
async def test_a_redirect_is_followed_to_where_settings_lead_questions(server: WebServer, location: str) -> None:
    hosts = {"first.test": server.url, "second.test": server.url}
    server.answers |= {"/": redirect(location), "/next": http_answer(body=MET), "/?x=1": http_answer(body=MET)}

    async with send_conditions(hosts=hosts) as conditions:
        assert await conditions.ask("http://first.test/") is Condition.MET


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_kind_of_redirect_is_followed_by_a_get(server: WebServer, status: int) -> None:
    server.answers |= {"/": redirect("/next", status), "/next": http_answer(body=MET)}

    async with send_conditions(hosts={"first.test": server.url}) as conditions:
        assert await conditions.ask("http://first.test/") is Condition.MET

    assert [asked.method for asked in server.asked] == ["GET", "GET"]


async def test_a_redirect_that_leads_back_to_itself_is_left_after_a_few(server: WebServer) -> None:
    server.answers["/"] = redirect("/")

    async with send_conditions(hosts={"first.test": server.url}) as conditions:
        with pytest.raises(NoAnswer, match=f"more than {REDIRECTS_LIMIT} redirects"):
            await conditions.ask("http://first.test/")

    assert len(server.asked) == REDIRECTS_LIMIT + 1


async def test_as_many_redirects_as_the_limit_are_followed(server: WebServer) -> None:
    server.answers |= {f"/{number}": redirect(f"/{number + 1}") for number in range(REDIRECTS_LIMIT)}
    server.answers[f"/{REDIRECTS_LIMIT}"] = http_answer(body=MET)

    async with send_conditions(hosts={"first.test": server.url}) as conditions:
        assert await conditions.ask("http://first.test/0") is Condition.MET


@pytest.mark.parametrize("status", [300, 304, 305, 306, 310])
async def test_no_other_status_is_a_redirect(server: WebServer, status: int) -> None:
    server.answers["/"] = redirect("/next", status)

    async with send_conditions(hosts={"first.test": server.url}) as conditions:
        with pytest.raises(NoAnswer, match=f"it says {status}"):
            await conditions.ask("http://first.test/")

    assert server.targets == ["/"]


async def test_a_redirect_to_nowhere_is_no_answer(server: WebServer) -> None:
    server.answers["/"] = http_answer(302)

    async with send_conditions(hosts={"first.test": server.url}) as conditions:
        with pytest.raises(NoAnswer, match="it says 302"):
            await conditions.ask("http://first.test/")


async def test_no_connection_is_kept_for_another_name_with_the_same_address(server: WebServer) -> None:
    async def answer_and_stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(MET), MET))
        await say_nothing(reader, writer)

    server.answers["/"] = answer_and_stay

    async with send_conditions(private=True) as conditions:
        await conditions.ask(f"{server.url}/")
        await server.wait_until_left()
