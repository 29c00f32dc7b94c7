"""One client's talk with the server, command by command (RFC 5321).

connected ── EHLO/HELO ──> greeted ── MAIL ──> mail ── RCPT (+) ──> recipients ── DATA, dot ──> greeted
                              ^                  └───────── RSET, EHLO ────────────┘
                              └──────────────────────────────┘
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from varsel.sandbox.handler import DROP, Drop, Envelope, Handler, Reply
from varsel.sandbox.smtp_commands import read_mail, read_recipient
from varsel.sandbox.smtp_wire import Excess, SmtpWire

NAME = "sandbox.test"
CLOSING_CODES = (221, 421)

_WRONG_ORDER = Reply(503, "5.5.1 Bad sequence of commands")
_LINE_TOO_LONG = Reply(500, "5.5.2 Line too long")
_TOO_LARGE = Reply(552, "5.3.4 Message size exceeds fixed limit")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of anything one client may ask of the server."""

    message: int = 30_000_000  # bytes
    line: int = 2_048  # octets of a command; what Postfix allows (line_length_limit)
    recipients: int = 1_000  # of one message; RFC 5321 section 4.5.3.1.8 demands at least 100
    idle: timedelta = timedelta(minutes=5)  # RFC 5321 section 4.5.3.2.7


class SmtpSession:
    """Obeys one client's commands until either side ends the connection."""

    def __init__(self, wire: SmtpWire, handler: Handler, *, extensions: Collection[str], limits: Limits) -> None:
        self._wire = wire
        self._handler = handler
        self._offered = extensions
        self._limits = limits
        self._extensions: Collection[str] = ()  # those of the greeting: after HELO there are none
        self._is_greeted = False
        self._envelope: Envelope | None = None  # None outside a transaction
        self._commands = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "VRFY": self._vrfy,
            "QUIT": self._quit,
        }

    async def converse(self) -> None:
        """Talk until the client quits, is dropped, or is gone.

        Raises:
            EOFError: the client has closed the connection without a QUIT.
            TimeoutError: the client was silent for too long.
        """
        answer = await self._handler.on_connect() or Reply(220, f"{NAME} ESMTP Varsel sandbox")
        goes_on = self._give(answer) and answer is not DROP and answer.is_positive
        while goes_on:
            line = await self._wire.read_line(self._limits.line)
            goes_on = self._give(await self._obey(line))

    def _give(self, answer: Reply | Drop) -> bool:
        """Say it; False when the connection ends with it."""
        if answer is DROP:
            return False
        self._wire.write(answer)
        return answer.code not in CLOSING_CODES

    async def _obey(self, line: bytes | Excess) -> Reply | Drop:
        if isinstance(line, Excess):
            return _LINE_TOO_LONG
        try:
            verb, _, argument = line.decode().partition(" ")
        except UnicodeDecodeError:
            return Reply(500, "5.5.2 Not UTF-8")
        command = self._commands.get(verb.upper())
        return await command(argument) if command else Reply(500, "5.5.2 Command not recognised")

    async def _ehlo(self, argument: str) -> Reply:
        if not argument.strip():
            return Reply(501, "5.5.4 EHLO needs a name")
        self._greet(self._offered)
        size = self._limits.message
        return Reply(250, "\n".join([NAME, *(f"SIZE {size}" if word == "SIZE" else word for word in self._offered)]))

    async def _helo(self, argument: str) -> Reply:
        if not argument.strip():
            return Reply(501, "5.5.4 HELO needs a name")
        self._greet(())
        return Reply(250, NAME)

    def _greet(self, extensions: Collection[str]) -> None:
        self._is_greeted, self._extensions, self._envelope = True, extensions, None

    async def _mail(self, argument: str) -> Reply | Drop:
        if not self._is_greeted or self._envelope:
            return _WRONG_ORDER
        envelope = read_mail(argument, self._extensions, size_limit=self._limits.message)
        if isinstance(envelope, Reply):
            return envelope
        answer = await self._handler.on_mail(envelope) or Reply(250, "2.1.0 Ok")
        if answer is not DROP and answer.is_positive:
            self._envelope = envelope
        return answer

    async def _rcpt(self, argument: str) -> Reply | Drop:
        if not self._envelope:
            return _WRONG_ORDER
        if len(self._envelope.recipients) >= self._limits.recipients:
            return Reply(452, "4.5.3 Too many recipients")
        recipient = read_recipient(argument, self._extensions, smtputf8=self._envelope.smtputf8)
        if isinstance(recipient, Reply):
            return recipient
        answer = await self._handler.on_recipient(self._envelope, recipient) or Reply(250, "2.1.5 Ok")
        if answer is not DROP and answer.is_positive:
            self._envelope = replace(self._envelope, recipients=(*self._envelope.recipients, recipient))
        return answer

    async def _data(self, argument: str) -> Reply | Drop:
        if not self._envelope:
            return _WRONG_ORDER
        if not self._envelope.recipients:  # also what a pipelining client gets whose recipients were all refused
            return Reply(554, "5.5.1 No valid recipients")
        if refusal := await self._handler.on_data(self._envelope):
            return refusal
        self._wire.write(Reply(354, "End data with <CR><LF>.<CR><LF>"))
        content = await self._wire.read_message(self._limits.message)
        envelope, self._envelope = self._envelope, None
        if isinstance(content, Excess):
            return _TOO_LARGE if content is Excess.MESSAGE else _LINE_TOO_LONG
        return await self._handler.on_message(envelope, content) or Reply(250, "2.0.0 Ok")

    async def _rset(self, argument: str) -> Reply:
        self._envelope = None
        return Reply(250, "2.0.0 Ok")

    async def _noop(self, argument: str) -> Reply:
        return Reply(250, "2.0.0 Ok")

    async def _vrfy(self, argument: str) -> Reply:
        return Reply(252, "2.5.2 Cannot verify, but will take messages for it")

    async def _quit(self, argument: str) -> Reply:
        return Reply(221, "2.0.0 Bye")
