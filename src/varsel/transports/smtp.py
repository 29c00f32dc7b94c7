"""One relay over SMTP: one recipient a transaction, every reply turned into an outcome.

What decides is how far the mail came. Until the message is sent nothing was handed over: a lost connection, or a 421
that announces one, harms no mail. Once it is sent, only the relay's answer tells, and a lost connection leaves the
mail in doubt (RFC 5321 section 4.2.5, RFC 1047).

    take a connection ── MAIL, RCPT, DATA ── 354 ──> message and final dot ── 2yz ──> Accepted
       │                   │  4yz, 5yz: Deferred, Rejected                 ── 4yz, 5yz ──> Deferred, Rejected
       │                   └─ lost, 421: once more on a new connection     └─ lost ──> InDoubt
       └─ none, or lost again: NotReached

Where the relay offers PIPELINING (RFC 2920), the three commands go in one write, and the next mail's may go right
behind the message: one round trip a mail.
"""

import asyncio
import ssl
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Literal

from varsel.relay import Relay
from varsel.transports.connect import REFUSES_US, connect
from varsel.transports.connections import GOODBYE_TIMEOUT, Connection, Connections
from varsel.transports.dialogue import Dialogue, Reply
from varsel.transports.envelope import Envelope, data_of
from varsel.transports.pace import Pace
from varsel.transports.transport import Accepted, Deferred, InDoubt, Mail, Rejected, readable
from varsel.transports.trouble import LOST_PAUSE, Answer, NotReached, Trouble

# Seconds for all that comes before the message, RFC 5321's five minutes a command notwithstanding: together with the
# final dot it must end before the lease of the claim does, 15 minutes.
BEFORE_THE_MESSAGE = 240.0
COMMAND_TIMEOUT = 120.0  # seconds, so that a connection that hangs leaves time for another
DATA_TIMEOUT = 600.0  # seconds for the final dot (RFC 5321 section 4.5.3.2.6); giving up earlier makes duplicates

Notify = Literal["success", "failure", "delay"]


class SmtpTransport:
    """The way out over one relay."""

    def __init__(self, relay: Relay, *, notify: Collection[Notify], tls: ssl.SSLContext | None = None) -> None:
        self._relay = relay
        self._connections = Connections(relay, partial(connect, relay, tls))
        self._pace = Pace(relay.mails_a_second)
        # RFC 3461 section 4.1: NEVER stands alone, and means that nobody reports anything.
        self._notify = ",".join(sorted(word.upper() for word in notify)) or "NEVER"

    @property
    def relay(self) -> Relay:
        """Where this way leads."""
        return self._relay

    async def submit(self, mail: Mail, *, by: float | None = None) -> Answer:
        """Hand over one mail; by this time of the loop's clock the relay has said 354, or nothing was handed over."""
        by = by if by is not None else _now() + BEFORE_THE_MESSAGE
        connection = await self._ready_for_message(mail, by)
        return await self._send_message(connection, mail) if isinstance(connection, Connection) else connection

    async def wait_until_usable(self) -> None:
        """At once: whether the relay is there shows when a mail is handed over."""

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        await self._connections.close()

    async def _ready_for_message(self, mail: Mail, by: float) -> Connection | Answer:
        """A connection on which the relay said 354. One that had been idle may be lost; a new one may not."""
        while _now() < by:
            try:
                connection = await self._turn(by)
            except TimeoutError:
                break
            if isinstance(connection, NotReached):
                return connection
            was_fresh = connection.is_fresh
            answer = await self._introduce(connection, mail, by)
            if answer is None:
                return connection
            if was_fresh or not (isinstance(answer, NotReached) and answer.trouble is Trouble.LOST):
                return answer
        return self._not_reached("the mail's turn did not come in time", Trouble.SLOW)

    async def _turn(self, by: float) -> Connection | NotReached:
        connection = self._connections.take_at_once()
        if connection is None:
            async with asyncio.timeout_at(by):
                taken = await self._connections.take()
            if isinstance(taken, NotReached):
                return taken
            connection = taken
        try:
            if self._pace.is_limited:
                async with asyncio.timeout_at(by):
                    await self._pace.turn()
        except BaseException:
            self._connections.put_back(connection)
            raise
        return connection

    async def _introduce(self, connection: Connection, mail: Mail, by: float) -> Answer | None:
        """MAIL, RCPT and DATA; None where the relay waits for the message."""
        dialogue = connection.dialogue
        try:
            envelope = Envelope.of(mail, self._notify, offers_dsn=dialogue.offers("dsn"))
        except ValueError:
            self._connections.put_back(connection)
            raise
        if envelope.needs_utf8 and not dialogue.offers("smtputf8"):
            self._connections.put_back(connection)
            return Rejected("550 5.6.7 the relay does not offer SMTPUTF8, which this address needs", self._relay.name)
        try:
            replies = await _said(dialogue, envelope.commands, by)
            refusal = _refusal_in(replies)
            if refusal is None:
                _require_still_usable(dialogue, by)
                return None
            if len(replies) == len(envelope.commands) and replies[-1].code == 354:
                await _say_nothing(dialogue, by)
            return await self._refused(connection, refusal)
        except OSError as error:
            self._connections.drop(connection)
            return self._not_reached(f"connection lost before the message was sent: {_words(error)}", Trouble.LOST)
        except BaseException:  # cancelled in the middle of a transaction: the connection is of no further use
            self._connections.drop(connection)
            raise

    async def _refused(self, connection: Connection, refusal: Reply) -> Answer:
        """What a reply to a command means; 421 announces that the relay closes (RFC 5321 section 3.8)."""
        words = readable(f"{refusal.code} {refusal.text}")
        if refusal.code == 421 or not 400 <= refusal.code <= 599:
            if refusal.code == 421 and connection.is_fresh:  # an idle one may be told so at any time
                self._connections.slow_down()
            self._connections.drop(connection)
            return self._not_reached(words, Trouble.LOST)
        await self._clear(connection)
        return self._answer(refusal.code, words)

    async def _clear(self, connection: Connection) -> None:
        """Clear the refused transaction away, for the next mail."""
        by = _now() + GOODBYE_TIMEOUT
        with suppress(OSError):  # then it is closed by now, and so dropped below
            await connection.dialogue.ask(b"RSET\r\n", patience=GOODBYE_TIMEOUT, by=by)
        connection.mails += 1
        self._connections.put_back(connection)

    async def _send_message(self, connection: Connection, mail: Mail) -> Answer:
        """The message and its final dot: from here on only the relay's answer tells what became of it."""
        began_at = _now()
        by = began_at + DATA_TIMEOUT
        try:
            [answer] = connection.dialogue.say(data_of(mail.message), replies=1, patience=DATA_TIMEOUT, by=by)
            self._connections.hand_on(connection)
            reply = await answer
        except OSError as error:
            self._connections.give_up_answer(connection)
            return InDoubt(f"in doubt: {_words(error)}", self._relay.name)
        except BaseException:
            self._connections.give_up_answer(connection)
            raise
        words = readable(f"{reply.code} {reply.text}")
        if not 200 <= reply.code <= 299 and not 400 <= reply.code <= 599:
            self._connections.give_up_answer(connection)
            return InDoubt(f"in doubt: {words}", self._relay.name)
        if reply.code == 421:
            connection.dialogue.close()
        self._connections.answered(connection, after=_now() - began_at, is_success=reply.code < 300)
        return self._answer(reply.code, words)

    def _answer(self, code: int, words: str) -> Answer:
        if code < 300:
            return Accepted(words, self._relay.name, self._relay.reports_successes)
        if code in REFUSES_US:
            return self._not_reached(words, Trouble.NEEDS_OPERATOR, f"refuses us: {code}")
        return Rejected(words, self._relay.name) if code >= 500 else Deferred(words, self._relay.name)

    def _not_reached(self, words: str, trouble: Trouble, reason: str = "drops our connections") -> NotReached:
        if trouble is Trouble.LOST:
            return NotReached(words, self._relay.name, LOST_PAUSE, trouble=trouble, reason=reason)
        return NotReached(words, self._relay.name, trouble=trouble, reason=reason)


async def _said(dialogue: Dialogue, commands: list[bytes], by: float) -> list[Reply]:
    """The replies to the commands: to all of them, or up to the first that is refused."""
    replies: list[Reply] = []
    try:
        if dialogue.offers("pipelining"):
            together = b"".join(commands)
            for future in dialogue.say(together, replies=len(commands), patience=COMMAND_TIMEOUT, by=by):
                replies.append(await future)  # noqa: PERF401  # what came before the connection was lost counts
        else:
            while len(replies) < len(commands) and _refusal_in(replies) is None:
                replies.append(await dialogue.ask(commands[len(replies)], patience=COMMAND_TIMEOUT, by=by))
    except OSError:
        if _refusal_in(replies) is None:
            raise
    return replies


def _refusal_in(replies: Sequence[Reply]) -> Reply | None:
    """The first reply that is not what lets us go on: 2yz to MAIL and RCPT, 354 to DATA."""
    for wanted, reply in zip((range(200, 300), range(200, 300), (354,)), replies, strict=False):
        if reply.code not in wanted:
            return reply
    return None


def _require_still_usable(dialogue: Dialogue, by: float) -> None:
    """After a 354: once we write, the mail may be in doubt, so not on a closed connection and not too late."""
    if not dialogue.is_open:
        raise ConnectionResetError("closed behind its 354")
    if _now() >= by:
        raise TimeoutError("the 354 came too late")


async def _say_nothing(dialogue: Dialogue, by: float) -> None:
    """No message: what a relay must be sent that said 354 though it takes no recipient (RFC 2920 section 3.1)."""
    await dialogue.ask(b".\r\n", patience=COMMAND_TIMEOUT, by=by)


def _words(error: OSError) -> str:
    return f"{type(error).__name__}: {error}"


def _now() -> float:
    return asyncio.get_running_loop().time()
