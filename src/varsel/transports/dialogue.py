"""What is said on an open connection to a relay, and the replies to it, in the order in which it was said.

aiosmtplib makes the connection; from then on we speak ourselves, because a client that waits for each reply before
it says more needs four round trips a mail. RFC 2920 (PIPELINING) allows one.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LINE_LIMIT = 8 * 1024  # bytes; RFC 5321 section 4.5.3.1.5 allows 512, real relays write novels
REPLY_LIMIT = 64 * 1024  # bytes of one reply of many lines


class Reply(NamedTuple):
    """A reply; `code` is 0 where there is none that could be read."""

    code: int
    text: str  # of all lines, apart by line feeds


@dataclass(slots=True)
class _Awaited:
    """A reply that is to come."""

    future: "asyncio.Future[Reply]"
    patience: float  # seconds from when it is the next
    by: float  # of the loop's clock: no later than that


class Dialogue(asyncio.Protocol):
    """One connection that is greeted and logged in. Whatever goes wrong ends it, and everything that is awaited."""

    def __init__(self, transport: asyncio.Transport, extensions: Collection[str]) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._extensions = frozenset(extension.lower() for extension in extensions)
        self._received = b""
        self._lines: list[bytes] = []  # of a reply that is not complete
        self._awaited: deque[_Awaited] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._next_since = 0.0  # when the first reply awaited became the next
        self.is_open = True
        transport.set_protocol(self)

    def offers(self, extension: str) -> bool:
        """Whether the relay named it in its greeting, in lower case."""
        return extension in self._extensions

    def say(self, data: bytes, *, replies: int, patience: float, by: float) -> Sequence["asyncio.Future[Reply]"]:
        """Say something that is answered by so many replies.

        Each may take so many seconds from when it is the next one, but none longer than `by`, a time of the loop's
        clock. The futures raise ConnectionError where the connection is lost, TimeoutError where it takes too long.
        """
        futures: list[asyncio.Future[Reply]] = [self._loop.create_future() for _ in range(replies)]
        if not self.is_open:
            for future in futures:
                _fail(future, ConnectionResetError("connection lost"))
            return futures
        if not self._awaited:
            self._next_since = self._loop.time()
        self._awaited.extend(_Awaited(future, patience, by) for future in futures)
        self._transport.write(data)
        self._watch()
        return futures

    async def ask(self, command: bytes, *, patience: float, by: float) -> Reply:
        """The one reply to one command, within the time that `say` would give it.

        Raises:
            OSError: as the future of `say` does.
        """
        [reply] = self.say(command, replies=1, patience=patience, by=by)
        return await reply

    def close(self) -> None:
        """Hang up."""
        self._end(ConnectionResetError("connection closed"))

    def data_received(self, data: bytes) -> None:
        """Take what the relay says; what is no reply ends the dialogue (RFC 5321 section 4.2)."""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._lines.append(line.rstrip(b"\r"))
            if line[3:4] != b"-":
                self._complete()
        if len(self._received) > LINE_LIMIT or sum(map(len, self._lines)) > REPLY_LIMIT:
            self._end(ConnectionResetError("the reply is too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self._end(exc if isinstance(exc, OSError) else ConnectionResetError("connection lost"))

    def _complete(self) -> None:
        lines, self._lines = self._lines, []
        if not self._awaited:
            # Nobody asked: a relay that is going away says 421 (RFC 5321 section 3.8). What else it says is no better.
            self.close()
            return
        awaited = self._awaited.popleft()
        self._next_since = self._loop.time()
        reply = _read(lines)
        if not awaited.future.done():
            awaited.future.set_result(reply)
        if reply.code == 0:
            self._end(ConnectionResetError("the relay does not speak SMTP"))
        elif self._awaited:
            self._watch()

    def _end(self, error: OSError) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        while self._awaited:
            _fail(self._awaited.popleft().future, error)
        if isinstance(error, TimeoutError):
            self._transport.abort()  # what waits to be written to it may wait for ever
        else:
            self._transport.close()

    def _watch(self) -> None:
        """One timer, for the next reply. Where that has come it looks again, so most replies cost none."""
        due_at = self._due_at()
        if self._timer is None or due_at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self._loop.call_at(due_at, self._look), due_at

    def _due_at(self) -> float:
        awaited = self._awaited[0]
        return min(self._next_since + awaited.patience, max(awaited.by, self._next_since))

    def _look(self) -> None:
        self._timer = None
        if not self._awaited:
            return
        if self._loop.time() >= self._due_at():
            self._end(TimeoutError("no reply in time"))
        else:
            self._watch()


def _read(lines: Sequence[bytes]) -> Reply:
    text = b"\n".join(line[4:].strip() for line in lines).decode("utf-8", "surrogateescape")
    code = lines[-1][:3]
    return Reply(int(code) if len(code) == 3 and code.isdigit() else 0, text)


def _fail(future: "asyncio.Future[Reply]", error: OSError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever gave up waiting need not be told by the loop
