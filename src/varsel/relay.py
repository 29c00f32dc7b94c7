"""The relays that mail is handed to: where each is, who we are to it, and how much it takes; read from URLs.

    smtp://user:secret@one.test:587?starttls=required&connections=4 smtps://two.test?reports=successes

Apart by whitespace, or by a comma where a new `smtp://` or `smtps://` follows: a password may hold commas. The first
that is usable takes the mail.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from varsel.mail_server import MailServer, parameters_of

Auth = Literal["plain", "login", "xoauth2"]

_AUTH: dict[str, Auth] = {"plain": "plain", "login": "login", "xoauth2": "xoauth2"}
_APART = re.compile(r"\s*,\s*(?=smtps?://)|\s+", re.IGNORECASE)
_PARAMETERS = ("connections", "mails_a_connection", "mails_a_second", "auth", "token_file", "reports")

CONNECTIONS = (
    20  # as many as Exchange takes of one host by default; at 10 ms a round trip each carries 80 mails a second
)
MOST_CONNECTIONS = 100
MAILS_A_CONNECTION = 1_000  # then a fresh one, so that a relay's balancer gets its chance
MOST_MAILS_A_CONNECTION = 1_000_000
SLOWEST, FASTEST = 0.1, 10_000.0  # mails a second; slower, and connections would be closed while they wait their turn


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay, and how we use it."""

    server: MailServer
    connections: int = CONNECTIONS  # at most so many at a time, of one process
    mails_a_connection: int = MAILS_A_CONNECTION
    mails_a_second: float | None = None  # of one process
    auth: Auth | None = None  # None: what both sides know
    token_file: Path | None = None  # holds the access token; read for each connection, as others refresh it
    reports_successes: bool = False  # whether it is said to report every delivery

    @classmethod
    def from_url(cls, url: str, *, connections: int = CONNECTIONS) -> Self:
        """Read one relay's URL; `connections` is for one that names no number.

        Raises:
            ValueError: it is no relay's; the words show nothing of the URL.
        """
        server = MailServer.from_url(url, more_parameters=_PARAMETERS)
        if server.scheme == "lmtp":
            raise ValueError("must be smtp:// or smtps://")
        given = parameters_of(url, ("starttls", *_PARAMETERS))
        relay = cls(
            server=server,
            connections=_count(given, "connections", connections, MOST_CONNECTIONS),
            mails_a_connection=_count(given, "mails_a_connection", MAILS_A_CONNECTION, MOST_MAILS_A_CONNECTION),
            mails_a_second=_rate(given),
            auth=_auth(given),
            token_file=Path(given["token_file"]) if "token_file" in given else None,
            reports_successes=_reports_successes(given),
        )
        relay._check_credentials()
        return relay

    @property
    def name(self) -> str:
        """Host and port, for people."""
        return self.server.place

    def _check_credentials(self) -> None:
        if self.auth and not self.server.username:
            raise ValueError("auth needs a user name")
        if self.token_file and self.auth != "xoauth2":
            raise ValueError("token_file needs auth=xoauth2")
        if self.token_file and self.server.password:
            raise ValueError("token_file and a password exclude each other")
        if self.auth == "xoauth2" and not self.token_file and not self.server.password:
            raise ValueError("auth=xoauth2 needs token_file, or the token in place of the password")


def split_urls(text: str) -> tuple[str, ...]:
    """Each relay's URL, in order of priority."""
    return tuple(filter(None, _APART.split(text.strip())))


def read_relays(text: str, *, connections: int = CONNECTIONS) -> tuple[Relay, ...]:
    """Read the relays in order of priority.

    Raises:
        ValueError: one cannot be read, or there is none; the words show nothing of a URL.
    """
    urls = split_urls(text)
    if not urls:
        raise ValueError("names no relay")
    relays = []
    for number, url in enumerate(urls, 1):
        try:
            relays.append(Relay.from_url(url, connections=connections))
        except ValueError as error:
            raise ValueError(f"relay {number}: {error}" if len(urls) > 1 else str(error)) from None
    return tuple(relays)


def _count(given: dict[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, str(default))
    count = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= count <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}")
    return count


def _rate(given: dict[str, str]) -> float | None:
    text = given.get("mails_a_second")
    if text is None:
        return None
    rate = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else math.nan
    if not SLOWEST <= rate <= FASTEST:
        raise ValueError(f"mails_a_second must be a number from {SLOWEST:g} to {FASTEST:g}")
    return rate


def _auth(given: dict[str, str]) -> Auth | None:
    auth = _AUTH.get(given.get("auth", ""))
    if auth is None and "auth" in given:
        raise ValueError("auth must be plain, login or xoauth2")
    return auth


def _reports_successes(given: dict[str, str]) -> bool:
    if given.get("reports", "successes") != "successes":
        raise ValueError("reports must be successes")
    return "reports" in given
