"""Make a connection to a relay on which mails may go: TCP, TLS, greeting, EHLO, AUTH; or say why there is none.

Certificates are verified, the name too, whether TLS is required or only taken where offered: whoever offers
STARTTLS with a certificate that we do not trust gets no mail. Credentials go over TLS only, unless `starttls=never`
was given or the relay is on this machine.
"""

import asyncio
import contextlib
import socket
import ssl
import sys
from pathlib import Path
from typing import cast

import aiosmtplib

from varsel.mail_server import MailServer
from varsel.relay import Relay
from varsel.transports.dialogue import Dialogue
from varsel.transports.transport import readable
from varsel.transports.trouble import NotReached, Trouble

CONNECT_TIMEOUT = 30.0  # seconds, for TCP, TLS, greeting, EHLO and AUTH together
DEAD_AFTER = 30  # seconds; a host that acknowledges nothing for so long is gone, however slow a relay may answer

# About us and our settings, not about the mail (RFC 4954 section 6): no mail fails over them.
REFUSES_US = (530, 534, 535, 538)


async def connect(relay: Relay, tls: ssl.SSLContext | None) -> Dialogue | NotReached:
    """A connection, greeted and logged in; without `tls` the system's certificate authorities are trusted."""
    client = aiosmtplib.SMTP(
        hostname=relay.server.host,
        port=relay.server.port,
        use_tls=relay.server.scheme == "smtps",
        start_tls=False,  # done below, where its absence can be told from its failure
        tls_context=tls,
        timeout=CONNECT_TIMEOUT,
    )
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await client.connect()
            _notice_dead_host(client)
            await client.ehlo()
            refusal = await _encrypt(client, relay.server) or await _log_in(client, relay)
            if not client.is_connected:
                raise aiosmtplib.SMTPServerDisconnected("connection lost")
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a name that cannot be looked up
        client.close()
        return not_reached(relay, error)
    except BaseException:
        client.close()
        raise
    if refusal is None:
        # uvloop's transports are some, but no subclasses.
        return Dialogue(cast("asyncio.Transport", client.transport), client.esmtp_extensions)
    client.close()
    return NotReached(f"the relay {refusal}", relay.name, trouble=Trouble.NEEDS_OPERATOR, reason=refusal)


def words_of(error: Exception) -> str:
    """The relay's own words where it said any."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return readable(f"{error.code} {error.message}")
    return readable(f"{type(error).__name__}: {error}")


def not_reached(relay: Relay, error: Exception) -> NotReached:
    """What it means that there is no connection."""
    trouble, reason = _trouble_of(error)
    return NotReached(words_of(error), relay.name, trouble=trouble, reason=reason)


def _trouble_of(error: Exception) -> tuple[Trouble, str]:
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Trouble.NEEDS_OPERATOR, f"has a certificate that cannot be trusted: {cause.verify_message}"
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Trouble.DOWN, f"cannot be reached: {type(cause).__name__}"
    if 400 <= error.code <= 499:
        return Trouble.CROWDED, f"has no room for us: {error.code}"
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) or error.code in REFUSES_US:
        return Trouble.NEEDS_OPERATOR, f"refuses our credentials: {error.code}"
    return Trouble.DOWN, f"refuses to talk: {error.code}"


async def _encrypt(client: aiosmtplib.SMTP, server: MailServer) -> str | None:
    """Start TLS as the settings want it; returns what an operator has to mend."""
    if server.scheme == "smtps" or server.starttls == "never":
        return None
    if client.supports_extension("starttls"):
        await client.starttls()
        await client.ehlo()  # RFC 3207 section 4.2: what was said in clear is forgotten
        return None
    return "does not offer STARTTLS, which is required" if server.starttls == "required" else None


async def _log_in(client: aiosmtplib.SMTP, relay: Relay) -> str | None:
    """Show our credentials; returns what an operator has to mend."""
    username, password = relay.server.username, relay.server.password or ""
    if username is None:
        return None
    if client.get_transport_info("sslcontext") is None and not _may_hear_in_clear(relay.server):
        return "offers no TLS, and credentials are not sent in clear"
    offered = set(client.server_auth_methods)
    if not offered & ({relay.auth} if relay.auth else set(client.AUTH_METHODS)):
        return f"does not offer AUTH {relay.auth.upper() if relay.auth else 'as we know it'}"
    match relay.auth:
        case "plain":
            await client.auth_plain(username, password)
        case "login":
            await client.auth_login(username, password)
        case "xoauth2":
            token = await asyncio.to_thread(_read_token, relay.token_file) if relay.token_file else password
            if not token:
                return "needs an access token, and token_file cannot be read or is empty"
            await client.auth_xoauth2(username, token)
        case None:
            await client.login(username, password)
    return None


def _may_hear_in_clear(server: MailServer) -> bool:
    return server.starttls == "never" or server.is_on_this_machine


def _read_token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _notice_dead_host(client: aiosmtplib.SMTP) -> None:
    """Have the kernel tell a host that is gone from a relay that is slow, which gets its ten minutes (RFC 5482)."""
    if sys.platform != "linux":
        return
    connection = client.get_transport_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_AFTER // 2)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, DEAD_AFTER // 6)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER * 1000)
