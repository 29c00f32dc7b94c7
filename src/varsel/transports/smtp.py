"""The relay over SMTP: a few connections, one recipient a transaction, every reply turned into an outcome.

What decides between Deferred and InDoubt is whether the message may have been sent: before the DATA command
nothing was handed over, after it a lost connection leaves only the relay knowing (RFC 5321 section 4.2.5,
RFC 1047).
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import aiosmtplib
import structlog

from varsel.mail_server import MailServer
from varsel.transports.transport import Accepted, Deferred, InDoubt, Mail, Outcome, Rejected, readable

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT = 30.0  # seconds, for TCP, TLS, greeting, EHLO and AUTH together
COMMAND_TIMEOUT = 300.0  # seconds (RFC 5321 section 4.5.3.2.2 and .3)
DATA_TIMEOUT = 600.0  # seconds for the final dot (RFC 5321 section 4.5.3.2.6); giving up earlier makes duplicates
GOODBYE_TIMEOUT = 2.0  # seconds; nobody waits for a relay that does not answer QUIT
IDLE_LIMIT = 20.0  # seconds; relays close idle connections after a minute or so, we do it first
MAILS_A_CONNECTION = 1_000  # then a fresh one, so that a relay's balancer gets its chance

# About us and our settings, not about the mail (RFC 4954 section 6): no mail fails over them.
_REFUSES_US = (530, 534, 535, 538)

Notify = Literal["success", "failure", "delay"]


@dataclass(slots=True)
class _Connection:
    client: aiosmtplib.SMTP
    idle_since: float
    mails: int = 0


class SmtpTransport:
    """Connections to one relay, opened when needed and kept for the next mail."""

    def __init__(self, relay: MailServer, *, connections: int, notify: Collection[Notify]) -> None:
        self._relay = relay
        self._free = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []
        # RFC 3461 section 4.1: NEVER stands alone, and means that nobody reports anything.
        self._notify = ",".join(sorted(word.upper() for word in notify)) or "NEVER"

    async def submit(self, mail: Mail) -> Outcome:
        """Hand over one mail; waits for a free connection first."""
        async with self._free:
            connection = self._reuse()
            if connection is not None:
                outcome = await self._attempt(connection, mail)
                if outcome is not None:
                    return outcome
                # The relay had closed the idle connection; nothing was handed over, so a fresh one may try.
            try:
                connection = await self._connect()
            except (aiosmtplib.SMTPException, OSError) as error:
                return self._not_reached(error)
            return await self._attempt(connection, mail) or Deferred("connection lost before the message was sent")

    async def wait_until_usable(self) -> None:
        """At once: whether the relay is there shows when a mail is handed over."""

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_quit(connection.client) for connection in idle))

    def _reuse(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.client.is_connected and now - connection.idle_since < IDLE_LIMIT:
                return connection
            connection.client.close()
        return None

    async def _connect(self) -> _Connection:
        relay = self._relay
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            use_tls=relay.scheme == "smtps",
            start_tls={"required": True, "optional": None, "never": False}[relay.starttls],
            username=relay.username,
            password=relay.password,
            timeout=COMMAND_TIMEOUT,
        )
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await client.connect(timeout=CONNECT_TIMEOUT)
                if client.is_ehlo_or_helo_needed:
                    await client.ehlo()
        except BaseException:
            client.close()
            raise
        return _Connection(client, asyncio.get_running_loop().time())

    def _not_reached(self, error: Exception) -> Outcome:
        if isinstance(error, aiosmtplib.SMTPAuthenticationError):
            log.error("the relay refuses our credentials", relay=self._relay.host, code=error.code)
        else:
            log.warning("the relay cannot be reached", relay=self._relay.host, error=type(error).__name__)
        return Deferred(_words(error))

    async def _attempt(self, connection: _Connection, mail: Mail) -> Outcome | None:
        """One transaction; None where the connection was lost before anything was handed over."""
        client = connection.client
        try:
            outcome = await self._transaction(client, mail)
        except aiosmtplib.SMTPResponseException as error:
            outcome = _refused(error)
            if not await _is_usable_after(client, error):
                return outcome
        except (aiosmtplib.SMTPException, OSError):
            client.close()
            return None
        except BaseException:  # cancelled in the middle of a transaction: the connection is of no further use
            client.close()
            raise
        connection.mails += 1
        self._keep(connection)
        return outcome

    async def _transaction(self, client: aiosmtplib.SMTP, mail: Mail) -> Outcome:
        mail_options, rcpt_options, encoding = self._options(client, mail)
        if encoding == "utf-8" and not client.supports_extension("smtputf8"):
            return Rejected("550 5.6.7 the relay does not offer SMTPUTF8, which this address needs")
        await client.mail(mail.return_path, options=mail_options, encoding=encoding)
        await client.rcpt(mail.recipient_address, options=rcpt_options, encoding=encoding)
        try:
            reply = await client.data(mail.message, timeout=DATA_TIMEOUT)
        except aiosmtplib.SMTPResponseException as error:
            if 400 <= error.code <= 599:
                raise
            # No answer that makes sense, and aiosmtplib does not tell whether it was to DATA or to the final dot.
            client.close()
            return InDoubt(f"in doubt: {_words(error)}")
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            return InDoubt(f"in doubt: {_words(error)}")
        return Accepted(readable(f"{reply.code} {reply.message}"))

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

    def _keep(self, connection: _Connection) -> None:
        if connection.client.is_connected and connection.mails < MAILS_A_CONNECTION:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.client.close()


def _refused(error: aiosmtplib.SMTPResponseException) -> Outcome:
    """The reply as an outcome; a code that is neither 4yz nor 5yz makes no sense here and is tried again later."""
    if error.code in _REFUSES_US:
        log.error("the relay wants credentials or encryption that it did not get", code=error.code)
        return Deferred(_words(error))
    return Rejected(_words(error)) if 500 <= error.code <= 599 else Deferred(_words(error))


async def _is_usable_after(client: aiosmtplib.SMTP, error: aiosmtplib.SMTPResponseException) -> bool:
    """Clear the refused transaction away; 421 announces that the relay closes (RFC 5321 section 3.8)."""
    try:
        if error.code != 421:
            await client.rset(timeout=GOODBYE_TIMEOUT)
            return True
    except (aiosmtplib.SMTPException, OSError):
        pass
    client.close()
    return False


async def _quit(client: aiosmtplib.SMTP) -> None:
    try:
        await client.quit(timeout=GOODBYE_TIMEOUT)
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _words(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return readable(f"{error.code} {error.message}")
    return readable(f"{type(error).__name__}: {error}")


def _xtext(text: str) -> str:
    """RFC 3461 section 4: `+`, `=` and whatever is not printable ASCII as `+` and two hexadecimal digits."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
