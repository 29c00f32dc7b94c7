"""What our two clients take from others: no cookies, and the environment's proxies to addresses from settings only."""

import ssl

import httpx2
import pytest

from tests.outgoing.conditions import AMPLE, MET, send_conditions
from tests.outgoing.web_server import WebServer, http_answer, web_server
from varsel.orders.send_condition import Condition
from varsel.outgoing.answer import NoAnswer, answer_to
from varsel.outgoing.clients import trusted_client

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def proxy(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """The proxy that the environment names for everything, and that answers for everybody."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, server.url)
    server.otherwise = http_answer(body=MET)
    return server


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_endpoint_that_somebody_else_has_named_is_not_asked_through_a_proxy(
    proxy: WebServer, scheme: str, host: str
) -> None:
    for private in (False, True):
        async with send_conditions(private=private) as conditions:
            with pytest.raises(NoAnswer):
                await conditions.ask(f"{scheme}://{host}:1/")

    assert proxy.connections == 0


async def test_an_address_from_settings_is_asked_through_the_proxy(proxy: WebServer) -> None:
    async with send_conditions(hosts={"condition.test": "http://gateway.test/prefix"}) as conditions:
        assert await conditions.ask("https://condition.test/check") is Condition.MET

    assert proxy.targets == ["http://gateway.test/prefix/check"]


async def test_over_tls_the_proxy_is_asked_for_a_tunnel_and_sees_no_more(proxy: WebServer) -> None:
    async with send_conditions(hosts={"condition.test": "https://gateway.test"}) as conditions:
        with pytest.raises(NoAnswer):
            await conditions.ask("https://condition.test/check")

    [asked] = proxy.asked
    assert (asked.method, asked.target) == ("CONNECT", "gateway.test:443")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2"])
async def test_this_machine_is_asked_without_it(proxy: WebServer, host: str) -> None:
    authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    listen_on = host.replace("localhost", "127.0.0.1")

    async with web_server(host=listen_on) as here, trusted_client(authorities, httpx2.Limits()) as client:
        request = client.build_request("GET", f"http://{host}:{here.port}/token")
        await answer_to(client, request, within=AMPLE, size_limit=1000)

    assert (here.targets, proxy.connections) == (["/token"], 0)


async def test_what_needs_no_proxy_is_asked_without_it(proxy: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,0x7f.1")

    async with web_server() as here, send_conditions(hosts={"a.test": f"http://0x7f.1:{here.port}"}) as conditions:
        here.otherwise = http_answer(body=MET)
        assert await conditions.ask("https://a.test/") is Condition.MET

    assert proxy.connections == 0


async def test_what_one_server_sets_as_a_cookie_is_told_to_nobody(server: WebServer) -> None:
    cookie = "a=b; Path=/; Max-Age=3600"
    server.answers["/"] = http_answer(302, Location="/next", Set_Cookie=cookie)
    server.answers["/next"] = http_answer(body=MET, Set_Cookie=cookie)
    endpoints = ["http://condition.test/", f"http://localhost:{server.port}/", f"{server.url}/"]

    async with send_conditions(hosts={"condition.test": server.url}, private=True) as conditions:
        for endpoint in endpoints * 2:
            await conditions.ask(endpoint)

    assert len(server.asked) == 12
    assert not [asked for asked in server.asked if "cookie" in asked.headers]
