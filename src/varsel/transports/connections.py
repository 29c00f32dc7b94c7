"""Connections to one relay: opened when needed, kept for the next mail, never more than allowed.

Mails wait in line for a free connection or for room to open one. While none is open, one is opened alone: where that
fails, nobody else in line needs to find out for themselves. While others are open, a failure only means a pause
before the next try: the relay stays usable through those.

A connection on which a message was sent may be handed on before the relay has answered for it: then the next mail's
envelope is on its way meanwhile (RFC 2920), which halves the round trips. Only where the relay is quick: else that
mail would wait behind the answer while other connections become free.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from varsel.relay import Relay
from varsel.transports.dialogue import Dialogue
from varsel.transports.trouble import NotReached, Trouble
from varsel.transports.width import Width

GOODBYE_TIMEOUT = 2.0  # seconds; nobody waits longer for a relay that does not answer QUIT
IDLE_LIMIT = 20.0  # seconds; relays close idle connections after a minute or so, we do it first
QUICK = 0.05  # seconds; a relay that answers later for a message is waited for
STALL = 60.0  # seconds; a relay all of whose connections have been silent for so long has hung
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before the next connection, where the last one was refused

Connect = Callable[[], Awaitable[Dialogue | NotReached]]


@dataclass(slots=True, eq=False)
class Connection:
    """One connection."""

    dialogue: Dialogue
    mails: int = 0  # that were answered on it
    is_quick: bool = False  # whether the last message was answered at once
    awaits_answer: bool = False  # for a message; whoever sent it waits for that
    is_taken_on: bool = False  # by the next mail, before that answer
    is_doomed: bool = False  # to be dropped as soon as that answer is there
    is_gone: bool = False
    is_fresh: bool = True  # until it has been idle: then the relay may have closed it, which is no trouble
    idle_since: float = 0.0  # of the loop's clock


class Connections:
    """Those to one relay; whoever takes one keeps or drops it."""

    def __init__(self, relay: Relay, connect: Connect) -> None:
        self._relay = relay
        self._connect = connect
        self._width = Width(relay.name, relay.connections)
        self._open = 0  # idle, in use, or saying goodbye
        self._opening = 0
        self._open_next_at = float("-inf")
        self._pause = FIRST_PAUSE
        self._idle: list[Connection] = []
        self._handed_on: deque[Connection] = deque()  # by which envelopes may go ahead, the longest waiting first
        self._line: deque[asyncio.Future[NotReached | None]] = deque()
        self._answered_at = float("-inf")
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def take_at_once(self) -> Connection | None:
        """A connection, where one is there and nobody waits for it."""
        return self._reuse() if self._idle and not self._line else None

    async def take(self) -> Connection | NotReached:
        """A connection of one's own, waited for in line; or why there is none."""
        is_first = not self._line
        while True:
            if is_first and (connection := self._reuse()):
                return connection
            if is_first and self._may_open():
                opened = await self._open_one()
                if opened is not None:
                    return opened
                continue
            if is_first and (connection := self._take_on()):
                return connection
            refusal = await self._wait_in_line(is_first=is_first)
            if refusal is not None:
                return refusal
            is_first = True

    def hand_on(self, connection: Connection) -> None:
        """A message was sent on it and the answer is to come: where that is quick, the next envelope may go already."""
        connection.awaits_answer = True
        is_last = connection.mails + 1 >= self._relay.mails_a_connection
        if connection.is_quick and not is_last and not self._is_closed and connection.dialogue.offers("pipelining"):
            self._handed_on.append(connection)
            self._wake()

    def answered(self, connection: Connection, *, after: float, is_success: bool) -> None:
        """The message was answered after so many seconds; the next mail may use the connection, if none does yet."""
        connection.awaits_answer = False
        connection.is_quick = after < QUICK
        connection.mails += 1
        self._answered_at = _now()
        if is_success:
            self._width.grow()
        if connection.is_doomed:
            self.drop(connection)
        elif not connection.is_taken_on:
            self.put_back(connection)
        connection.is_taken_on = False

    def put_back(self, connection: Connection) -> None:
        """It is as good as it was."""
        self._take_back(connection)
        if self._is_closed or not connection.dialogue.is_open:
            self.drop(connection)
        elif connection.mails >= self._relay.mails_a_connection:
            self._say_goodbye(connection)
        else:
            connection.is_fresh, connection.idle_since = False, _now()
            self._idle.append(connection)
            self._wake()

    def drop(self, connection: Connection) -> None:
        """It is of no further use, but for an answer that somebody else waits for."""
        self._take_back(connection)
        if connection.is_gone:
            return
        if connection.awaits_answer and connection.dialogue.is_open:
            connection.is_doomed = True
            return
        connection.is_gone = True
        connection.dialogue.close()
        self._open -= 1
        self._wake()

    def give_up_answer(self, connection: Connection) -> None:
        """Nobody waits for the answer any more, or none can come."""
        connection.awaits_answer = False
        self.drop(connection)

    def _take_back(self, connection: Connection) -> None:
        if connection in self._handed_on:
            self._handed_on.remove(connection)

    def slow_down(self) -> None:
        """The relay said 421 in the middle of a transaction: it does not want so much of us."""
        self._width.halve(seen=self._width.halvings)
        self._pause_before_next()

    async def close(self) -> None:
        """Say goodbye on every idle connection; those in use are closed when they are given back."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            self._say_goodbye(connection)
        await asyncio.gather(*self._goodbyes, return_exceptions=True)

    def _reuse(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.dialogue.is_open and _now() - connection.idle_since < IDLE_LIMIT:
                return connection
            self.drop(connection)
        return None

    def _take_on(self) -> Connection | None:
        while self._handed_on:
            connection = self._handed_on.popleft()
            if connection.dialogue.is_open:
                connection.is_taken_on = True
                return connection
        return None

    def _may_open(self) -> bool:
        if self._open == 0:
            return self._opening == 0
        return self._open + self._opening < self._width.now and _now() >= self._open_next_at

    async def _open_one(self) -> Connection | NotReached | None:
        """None where it failed and there are others to wait for."""
        halvings = self._width.halvings
        self._opening += 1
        self._wake()
        try:
            result = await self._connect()
        except BaseException:
            self._opening -= 1
            self._wake()
            raise
        self._opening -= 1
        if isinstance(result, NotReached):
            return self._not_opened(result, halvings)
        self._open += 1
        self._pause = FIRST_PAUSE
        self._wake()
        return Connection(result)

    def _not_opened(self, refusal: NotReached, halvings: int) -> NotReached | None:
        if refusal.trouble is Trouble.CROWDED:
            self._width.halve(seen=halvings)
        self._pause_before_next()
        if refusal.trouble is not Trouble.NEEDS_OPERATOR and (self._open or self._opening):
            return None
        while self._line:  # nobody needs to be refused in person
            self._line.popleft().set_result(refusal)
        return refusal

    def _pause_before_next(self) -> None:
        self._open_next_at = _now() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _wait_in_line(self, *, is_first: bool) -> NotReached | None:
        place: asyncio.Future[NotReached | None] = asyncio.get_running_loop().create_future()
        (self._line.appendleft if is_first else self._line.append)(place)
        came_at = _now()
        try:
            while not place.done():
                await asyncio.wait({place}, timeout=STALL)
                if not place.done() and _now() - max(came_at, self._answered_at) >= STALL:
                    return self._stalled()
            return place.result()
        except BaseException:
            if place.done():
                self._wake()  # the turn that we do not take is the next one's
            raise
        finally:
            if not place.done():
                self._line.remove(place)

    def _stalled(self) -> NotReached:
        reason = "answers nothing on any connection"
        return NotReached(f"the relay {reason}", self._relay.name, trouble=Trouble.DOWN, reason=reason)

    def _wake(self) -> None:
        """Call the first in line, if there is something for them."""
        if self._line and (self._idle or self._handed_on or self._may_open()):
            self._line.popleft().set_result(None)

    def _say_goodbye(self, connection: Connection) -> None:
        """It counts as open until the relay knows."""
        task = asyncio.create_task(self._quit(connection), name="say goodbye to the relay")
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    async def _quit(self, connection: Connection) -> None:
        by = _now() + GOODBYE_TIMEOUT
        try:
            await connection.dialogue.ask(b"QUIT\r\n", patience=GOODBYE_TIMEOUT, by=by)
        except OSError:
            pass  # it is closed all the same
        finally:
            self.drop(connection)


def _now() -> float:
    return asyncio.get_running_loop().time()
