"""Condition endpoints by name, in a network where all is ours: what a name leads to, and who is on the internet.

    SendConditions ── 127.0.0.1:53        the zone, which leads every name that it does not know inside
                   ├─ PUBLIC:80, :443     public.test, with its certificate
                   ├─ OTHER:443           other.test, with its own
                   ├─ CLOSED              nobody listens
                   ├─ BLACK_HOLE:80       takes no connection, and says nothing
                   └─ INSIDE:80, :443     whom nobody may reach: they would say that every condition is met

Run by `tests/outgoing/test_guarded_names.py` in a namespace of its own. What came of each endpoint is written to
`outcomes.json` in the folder.
"""

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import uvloop

from tests.dns_server import SILENCE, DnsServer
from tests.namespace import settle_in, take_address
from tests.outgoing.conditions import MET, send_conditions
from tests.outgoing.web_server import WebServer, http_answer, redirect, web_server
from tests.transports.certificates import Authority
from varsel.orders.orders_in_hand import IN_HAND_OF_OWNER
from varsel.orders.send_condition import SendConditions
from varsel.outgoing.access_tokens import AccessTokens, OwnClient
from varsel.outgoing.answer import NoAnswer
from varsel.outgoing.clients import trusted_client

WITHIN = timedelta(seconds=1)
SHORT = timedelta(seconds=0.1)
# The first that this machine takes is the nearest to itself, and the next differs in the last bit: so those that do not
# answer are tried before those that do (RFC 6724 section 5, rule 9).
BLACK_HOLE, CLOSED, PUBLIC, OTHER = (f"93.184.216.{number}" for number in (34, 35, 40, 41))
INSIDE = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1")

ZONE = {
    "public.test": f"A {PUBLIC}",
    "other.test": f"A {OTHER}",
    "intranet.test": "A 10.0.0.1",
    "metadata.test": "A 169.254.169.254",
    "ipv6.test": "AAAA ::1",
    "mapped.test": "AAAA ::ffff:127.0.0.1",
    "nat64.test": "AAAA 64:ff9b::127.0.0.1",
    "first-inside.test": f"A 127.0.0.1, A {PUBLIC}",
    "first-outside.test": f"A {PUBLIC}, A 127.0.0.1",
    "inside-over-ipv6.test": f"A {PUBLIC}, AAAA ::1",
    "one-of-many.test": ", ".join([*[f"A {PUBLIC[:-2]}{number}" for number in range(40, 60)], "A 10.0.0.1"]),
    "partly-closed.test": f"A {CLOSED}, A {PUBLIC}",
    "closed.test": f"A {CLOSED}",
    "mostly-closed.test": ", ".join([*(f"A 93.184.216.{number}" for number in range(36, 40)), f"A {PUBLIC}"]),
    "partly-silent.test": f"A {BLACK_HOLE}, A {PUBLIC}",
    "mail-only.test": "MX 10 public.test",
    "unknown.test": "NXDOMAIN",
    "broken.test": "SERVFAIL",
    "silent.test": SILENCE,
}
REBINDING = "rebinding.test"  # leads outside at first, and inside ever after
A_LOOK_UP = 2  # questions of the name server: for IPv4 and for IPv6

LEAD_INSIDE = [
    "http://whatever.test/",
    "https://whatever.test/",
    "http://localhost/",
    "http://localhost./",
    "http://intranet.test/",
    "http://metadata.test/latest/meta-data/",
    "http://ipv6.test/",
    "http://mapped.test/",
    "http://nat64.test/",
    "http://first-inside.test/",
    "http://first-outside.test/",
    "http://inside-over-ipv6.test/",
    "http://one-of-many.test/",
    "https://first-outside.test/",
    "http://public.test@whatever.test/",
    "http://public.test\\@whatever.test/",
    "http://public.test:80\\@whatever.test/",
    "http://127.0.0.1./",
    "http://4294967296/",
    "http://2130706433./",
    "http://127.0.0.1 /",
    "http://127.0.0.1\\/",
    "http://127.0.0.1%3A80/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00/",
    "http://127.0.0.1%2F.public.test/",
    "http://public.test%00.whatever.test/",
    "http://blåbær.test/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
]
METADATA = "http://metadata.test/latest/meta-data/"
CONTROL = [
    "http://whatever.test/",
    "http://ipv6.test/",
    "http://2130706433./",
]
SILENT = "http://silent.test/"
BESIDE_SILENT = "http://public.test/ while an owner's others wait for a silent name server"
TOO_MANY_CLOSED = "http://mostly-closed.test/"
GIVE_NO_ADDRESS = ["http://mail-only.test/", "http://unknown.test/", "http://broken.test/", f"http://{'a' * 64}.test/"]
REDIRECTS_INSIDE = [
    "http://127.0.0.1/",
    "http://whatever.test/",
    "//whatever.test/",
    "//127.0.0.1/",
    "http://public.test@127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://first-outside.test/",
    "http://[::1]/",
    "https://127.0.0.1/",
    "https://whatever.test/",
]


REDIRECTED = [f"{scheme}://public.test/{n}" for scheme in ("http", "https") for n in range(len(REDIRECTS_INSIDE))]
TO_OTHER = "https://public.test/to-other"
ANSWERED = [
    "http://public.test/path?a=b%20c",
    "https://public.test/path?a=b%20c",
    "https://PUBLIC.test:443/",
    f"http://{PUBLIC}/",
    f"https://{PUBLIC}/",
    "https://other.test/",
    f"http://{REBINDING}/",
    "http://partly-closed.test/",
    "https://closed.test/",
    "http://partly-silent.test/",
    TOO_MANY_CLOSED,
    TO_OTHER,
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking an endpoint."""

    said: str  # the condition, or why there is none
    inside: int  # connections to somebody inside
    outside: list[str]  # what others were asked: the URL by the Host header, the name by TLS, whether with a token
    questions: int  # of the name server


class Zone(Mapping[str, str]):
    """Leads inside whoever is not in it, and counts its questions."""

    def __init__(self) -> None:
        self.questions = 0

    def __getitem__(self, name: str) -> str:
        self.questions += 1
        if name == REBINDING and self.questions <= A_LOOK_UP:
            return f"A {PUBLIC}"
        return ZONE.get(name, "A 127.0.0.1")

    def __iter__(self) -> Iterator[str]:
        return iter(ZONE)

    def __len__(self) -> int:
        return len(ZONE)


@dataclass(frozen=True, slots=True)
class World:
    """The servers, and whoever asks them."""

    zone: Zone
    inside: list[WebServer]
    outside: list[WebServer]

    async def outcome(self, conditions: SendConditions, endpoint: str) -> Outcome:
        self.zone.questions = 0
        for server in (*self.inside, *self.outside):
            server.connections = 0
            server.asked.clear()
            server.server_names.clear()
        try:
            said = str(await conditions.ask(endpoint))
        except NoAnswer as error:
            said = str(error)
        inside = sum(server.connections for server in self.inside)
        return Outcome(
            said, inside, [asked for server in self.outside for asked in _asked(server)], self.zone.questions
        )


def _asked(server: WebServer) -> Iterator[str]:
    for number, asked in enumerate(server.asked):
        name = f" as {server.server_names[number]}" if server.scheme == "https" else ""
        token = " with a token" if "authorization" in asked.headers else ""
        yield f"{server.scheme}://{asked.headers['host']}{asked.target}{name}{token}"


@asynccontextmanager
async def running_world(authority: Authority) -> AsyncIterator[World]:
    """Everybody of the drawing above."""
    zone = Zone()
    async with AsyncExitStack() as stack:

        async def serving(host: str | tuple[str, ...], port: int, name: str | None = None) -> WebServer:
            tls = authority.server(name) if name else None
            server = await stack.enter_async_context(web_server(tls, host=host, port=port))
            server.otherwise = http_answer(body=MET)
            return server

        stack.enter_context(closing(await DnsServer(zone).listen()))
        stack.enter_context(_black_hole())
        inside = [await serving(INSIDE, 80), await serving(INSIDE, 443, "whatever.test")]
        outside = [await serving(PUBLIC, 80), await serving(PUBLIC, 443, "public.test")]
        for server in outside:
            server.answers |= {f"/{n}": redirect(location) for n, location in enumerate(REDIRECTS_INSIDE)}
            server.answers["/to-other"] = redirect("https://other.test/")
        outside.append(await serving(OTHER, 443, "other.test"))
        yield World(zone, inside, outside)


@contextmanager
def _black_hole() -> Iterator[None]:
    """A server whose queue is full: the system drops whoever else comes."""
    with (
        socket.create_server((BLACK_HOLE, 80), backlog=0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        yield


async def _play(folder: Path) -> None:
    authority = Authority(folder)
    tls = ssl.create_default_context(cafile=authority.file)
    async with (
        running_world(authority) as world,
        web_server() as issuer,
        trusted_client(tls, httpx2.Limits()) as client,
    ):
        issuer.otherwise = http_answer(body=b'{"access_token":"token","expires_in":60}')
        tokens = AccessTokens(OwnClient(f"{issuer.url}/token", "varsel", "secret"), client)
        async with (
            send_conditions(tokens=tokens, authorities=tls, within=WITHIN) as guarded,
            send_conditions(private=True, authorities=tls, within=WITHIN) as unguarded,
            send_conditions(within=SHORT) as impatient,
        ):
            endpoints = [*LEAD_INSIDE, *GIVE_NO_ADDRESS, *REDIRECTED, *ANSWERED]
            outcomes = {SILENT: asdict(await world.outcome(impatient, SILENT))}
            waiting = [asyncio.create_task(guarded.ask(SILENT)) for _ in range(IN_HAND_OF_OWNER)]
            outcomes[BESIDE_SILENT] = asdict(await world.outcome(guarded, "http://public.test/"))
            for task in waiting:
                task.cancel()
            outcomes |= {endpoint: asdict(await world.outcome(guarded, endpoint)) for endpoint in endpoints}
            outcomes |= {
                f"unguarded {name}": asdict(await world.outcome(unguarded, name)) for name in [*CONTROL, METADATA]
            }
    (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    settle_in(folder)
    os.environ["RES_OPTIONS"] = "timeout:30 attempts:5"  # for a name server that says nothing; nobody waits so long
    for address in (BLACK_HOLE, CLOSED, PUBLIC, OTHER, *INSIDE[1:3]):
        take_address(address)
    uvloop.run(_play(folder))
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))  # the limit: the end waits for what nobody waits for
