"""A register that a test plays over real sockets: it remembers what it is asked, and answers as the test says."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2

from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.calls import Calls
from varsel.contact_register.decisions import Decisions
from varsel.outgoing.credentials import Credentials

PERSONS = "/profile/users/contactpoint/lookup"
ORGANIZATIONS = "/profile/organizations/notificationaddresses/lookup"
UNITS = "/profile/units/contactpoint/lookup"
NAMES = "/register/parties/nameslookup"
DECISION = "/authorization/decision"

NO_CREDENTIALS = Credentials()
LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as it came."""

    path: str
    headers: Mapping[str, str]  # names in small letters
    content: bytes

    @property
    def body(self) -> Any:
        """What its JSON says."""
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire, and whether the connection is closed after it."""

    raw: bytes
    closes: bool = False


HANG = Reply(b"")  # nothing, and the connection stays open until the other side closes it
CLOSE = Reply(b"", closes=True)


def said(document: object, status: int = 200, headers: str = "") -> Reply:
    """An answer: bytes as they are, else as JSON; `headers` end each with a line end."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)


def contact_points(*entries: object) -> Reply:
    """An answer of Profile."""
    return said({"contactPointsList": entries})


def party_names(*entries: object) -> Reply:
    """An answer of Register."""
    return said({"partyNames": entries})


@dataclass
class PlayedRegister:
    """Replies with what `in_turn` holds as long as it holds anything, then as `replies` has it for the path."""

    url: str = ""
    in_turn: list[Reply] = field(default_factory=list)
    replies: dict[str, Reply | Callable[[Asked], Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0  # opened so far
    most_in_flight: Counter[str] = field(default_factory=Counter)  # by path
    _gates: dict[str, asyncio.Event] = field(default_factory=dict)
    _in_flight: Counter[str] = field(default_factory=Counter)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.path for asked in self.asked]

    def asked_at(self, path: str) -> list[Any]:
        """The bodies of the requests for this path, in order."""
        return [asked.body for asked in self.asked if asked.path == path]

    def hold(self, path: str) -> asyncio.Event:
        """Have requests for this path wait until the event is set."""
        return self._gates.setdefault(path, asyncio.Event())

    async def until_in_flight(self, path: str, count: int) -> None:
        """Wait until so many requests for this path wait for their replies."""
        async with asyncio.timeout(LIMIT), self._changed:
            await self._changed.wait_for(lambda: self._in_flight[path] == count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side closes it."""
        self.connections += 1
        self._writers.add(writer)
        try:
            while asked := await _read(reader):
                if not await self._reply(asked, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            self._writers.discard(writer)
            writer.close()

    def cut(self) -> None:
        """Close every connection, whoever waits on it."""
        for gate in self._gates.values():
            gate.set()
        for writer in self._writers:
            writer.close()

    async def _reply(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is kept."""
        self.asked.append(asked)
        await self._count(asked.path, 1)
        try:
            if asked.path in self._gates:
                await self._gates[asked.path].wait()
            reply = self._next(asked)
            if reply is HANG:
                await reader.read()
                return False
        finally:
            await self._count(asked.path, -1)
        writer.write(reply.raw)
        await writer.drain()
        return not reply.closes

    def _next(self, asked: Asked) -> Reply:
        if self.in_turn:
            return self.in_turn.pop(0)
        reply = self.replies.get(asked.path, said({}, 404))
        return reply if isinstance(reply, Reply) else reply(asked)

    async def _count(self, path: str, change: int) -> None:
        async with self._changed:
            self._in_flight[path] += change
            self.most_in_flight[path] = max(self.most_in_flight[path], self._in_flight[path])
            self._changed.notify_all()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    """The next request; None where there is none."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    request, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Asked(request.split()[1], headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def played_register(port: int = 0) -> AsyncIterator[PlayedRegister]:
    """A register on a free port of this machine, or on this one, that knows no path yet."""
    played = PlayedRegister()
    server = await asyncio.start_server(played.serve, "127.0.0.1", port)
    played.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield played
    finally:
        server.close()
        played.cut()
        await server.wait_closed()


def plain_client() -> httpx2.AsyncClient:
    """A client for http only, which knows no authorities (to load them takes longer than most tests), and no proxy."""
    return httpx2.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=None, trust_env=False)


def calls_to(url: str, client: httpx2.AsyncClient, credentials: Credentials = NO_CREDENTIALS) -> Calls:
    """Calls that wait for longer than any test does."""
    return Calls(client, credentials, url, within=timedelta(minutes=1))


def altinn_registers(played: PlayedRegister, client: httpx2.AsyncClient, *, decides: bool = False) -> AltinnRegisters:
    """Profile, Register and, where it decides, the policy decision point, all played by one."""
    decisions = Decisions(calls_to(f"{played.url}/authorization", client)) if decides else None
    profile, register = calls_to(f"{played.url}/profile", client), calls_to(f"{played.url}/register", client)
    return AltinnRegisters(profile, register, decisions)
