"""One relay over SMTP: one recipient a transaction, every reply turned into an outcome.

What decides is how far the mail came. Until the message is sent nothing was handed over: a lost connection, or a 421
that announces one, harms no mail. Once it is sent, only the relay's answer tells, and a lost connection leaves the
mail in doubt (RFC 5321 section 4.2.5, RFC 1047).

    take a connection ── MAIL, RCPT, DATA ── 354 ──> message and final dot ── 2yz ──> Accepted
       │                   │  4yz, 5yz: Deferred, Rejected                 ── 4yz, 5yz ──> Deferred, Rejected
       │                   └─ lost, 421: once more on a new connection     └─ lost ──> InDoubt
       └─ none, or lost again: NotReached
"""

import asyncio
import re
import ssl
from collections.abc import Collection
from functools import partial
from typing import Literal

import aiosmtplib
from aiosmtplib import SMTPResponseException

from varsel.relay import Relay
from varsel.transports.connect import REFUSES_US, connect, words_of
from varsel.transports.connections import GOODBYE_TIMEOUT, Connection, Connections
from varsel.transports.pace import Pace
from varsel.transports.transport import Accepted, Deferred, InDoubt, Mail, Rejected, readable
from varsel.transports.trouble import LOST_PAUSE, Answer, NotReached, Trouble

# Seconds for all that comes before the message, RFC 5321's five minutes a command notwithstanding: together with the
# final dot it must end before the lease of the claim does, 15 minutes.
BEFORE_THE_MESSAGE = 240.0
COMMAND_TIMEOUT = 120.0  # seconds, so that a connection that hangs leaves time for another
DATA_TIMEOUT = 600.0  # seconds for the final dot (RFC 5321 section 4.5.3.2.6); giving up earlier makes duplicates

_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)

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
        by = by if by is not None else asyncio.get_running_loop().time() + BEFORE_THE_MESSAGE
        connection = await self._ready_for_message(mail, by)
        return await self._send_message(connection, mail) if isinstance(connection, Connection) else connection

    async def wait_until_usable(self) -> None:
        """At once: whether the relay is there shows when a mail is handed over."""

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        await self._connections.close()

    async def _ready_for_message(self, mail: Mail, by: float) -> Connection | Answer:
        """A connection on which the relay said 354. One that had been idle may be lost; a new one may not."""
        while asyncio.get_running_loop().time() < by:
            try:
                async with asyncio.timeout_at(by):
                    connection = await self._turn()
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

    async def _turn(self) -> Connection | NotReached:
        connection = await self._connections.take()
        if isinstance(connection, Connection):
            try:
                await self._pace.turn()
            except BaseException:
                self._connections.put_back(connection)
                raise
        return connection

    async def _introduce(self, connection: Connection, mail: Mail, by: float) -> Answer | None:
        """MAIL, RCPT and DATA; None where the relay waits for the message."""
        try:
            async with asyncio.timeout_at(by):
                refusal = await self._envelope(connection.client, mail)
            if refusal is None:
                return None
            if isinstance(refusal, Rejected):
                self._connections.put_back(connection)
                return refusal
            return await self._refused(connection, refusal)
        except (aiosmtplib.SMTPException, OSError) as error:
            self._connections.drop(connection)
            return self._not_reached(f"connection lost before the message was sent: {words_of(error)}", Trouble.LOST)
        except BaseException:  # cancelled in the middle of a transaction: the connection is of no further use
            self._connections.drop(connection)
            raise

    async def _envelope(self, client: aiosmtplib.SMTP, mail: Mail) -> SMTPResponseException | Rejected | None:
        """The relay's refusal, or ours; None after a 354."""
        mail_options, rcpt_options, encoding = self._options(client, mail)
        if encoding == "utf-8" and not client.supports_extension("smtputf8"):
            return Rejected("550 5.6.7 the relay does not offer SMTPUTF8, which this address needs", self._relay.name)
        client.timeout = COMMAND_TIMEOUT
        try:
            await client.mail(mail.return_path, options=mail_options, encoding=encoding)
            await client.rcpt(mail.recipient_address, options=rcpt_options, encoding=encoding)
        except SMTPResponseException as error:
            return error
        reply = await client.execute_command(b"DATA")
        return None if reply.code == 354 else aiosmtplib.SMTPDataError(reply.code, reply.message)

    async def _refused(self, connection: Connection, refusal: SMTPResponseException) -> Answer:
        """What a reply to a command means; 421 announces that the relay closes (RFC 5321 section 3.8)."""
        words = words_of(refusal)
        if refusal.code == 421 or not 400 <= refusal.code <= 599:
            if refusal.code == 421 and connection.is_fresh:  # an idle one may be told so at any time
                self._connections.slow_down()
            self._connections.drop(connection)
            return self._not_reached(words, Trouble.LOST)
        await self._clear(connection)
        return self._answer(refusal.code, words)

    async def _clear(self, connection: Connection) -> None:
        """Clear the refused transaction away, for the next mail."""
        try:
            await connection.client.rset(timeout=GOODBYE_TIMEOUT)
        except (aiosmtplib.SMTPException, OSError):
            connection.client.close()
        self._connections.keep(connection)

    async def _send_message(self, connection: Connection, mail: Mail) -> Answer:
        """The message and its final dot: from here on only the relay's answer tells what became of it."""
        try:
            reply = await _say_message(connection.client, mail.message)
        except (aiosmtplib.SMTPException, OSError) as error:
            self._connections.drop(connection)
            return InDoubt(f"in doubt: {words_of(error)}", self._relay.name)
        except BaseException:
            self._connections.drop(connection)
            raise
        words = readable(f"{reply.code} {reply.message}")
        if not 200 <= reply.code <= 299 and not 400 <= reply.code <= 599:
            self._connections.drop(connection)
            return InDoubt(f"in doubt: {words}", self._relay.name)
        if reply.code == 421:
            connection.client.close()
        self._connections.keep(connection, is_success=reply.code < 300)
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

    def _options(self, client: aiosmtplib.SMTP, mail: Mail) -> tuple[list[str], list[str], str]:
        """Parameters of MAIL and RCPT, and the encoding that the addresses need."""
        mail_options, rcpt_options = [], []
        head = mail.message[: mail.message.find(b"\r\n\r\n")]
        is_ascii = mail.recipient_address.isascii() and head.isascii()
        if not is_ascii:
            mail_options += ["SMTPUTF8", "BODY=8BITMIME"]
        if client.supports_extension("dsn"):
            mail_options += ["RET=HDRS", f"ENVID={_xtext(mail.envelope_id)}"]
            rcpt_options.append(f"NOTIFY={self._notify}")
            if mail.recipient_address.isascii():
                rcpt_options.append(f"ORCPT=rfc822;{_xtext(mail.recipient_address)}")
        return mail_options, rcpt_options, "ascii" if is_ascii else "utf-8"


async def _say_message(client: aiosmtplib.SMTP, message: bytes) -> aiosmtplib.SMTPResponse:
    """Send what follows a 354 (RFC 5321 section 4.5.2): line ends CRLF, leading dots doubled, then the final dot."""
    if client.protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("connection lost")
    lines = _LINE_END.sub(b"\r\n", message)
    ending = b".\r\n" if lines.endswith(b"\r\n") else b"\r\n.\r\n"
    client.protocol.write(_LEADING_DOT.sub(b"..", lines) + ending)
    return await client.protocol.read_response(timeout=DATA_TIMEOUT)


def _xtext(text: str) -> str:
    """RFC 3461 section 4: `+`, `=` and whatever is not printable ASCII as `+` and two hexadecimal digits."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
