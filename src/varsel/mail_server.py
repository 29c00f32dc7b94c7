"""Where a mail server is, and how to speak with it: one URL says it all.

No error here quotes the URL or a part of it: whatever is wrong with a URL, a password may be where it does not belong.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import SplitResult, unquote, urlsplit

Scheme = Literal["smtp", "smtps", "lmtp"]
StartTls = Literal["required", "optional", "never"]
_SCHEMES: dict[str, Scheme] = {"smtp": "smtp", "smtps": "smtps", "lmtp": "lmtp"}
_PORTS: dict[Scheme, int] = {"smtp": 25, "smtps": 465, "lmtp": 24}
_STARTTLS: dict[str, StartTls] = {"required": "required", "optional": "optional", "never": "never"}
_HOST = re.compile(r"[\w.:%-]+")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where a mail server is, and how to speak with it."""

    scheme: Scheme
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    starttls: StartTls = "never"

    @classmethod
    def from_url(cls, url: str, *, more_parameters: Collection[str] = ()) -> Self:
        """Read `smtp://user:secret@host:587?starttls=required`, `smtps://host` or `lmtp://host:24`.

        Without `starttls=` a relay with credentials requires it (RFC 6409: a password never goes in clear),
        one on this machine does without, any other takes it where offered. `more_parameters` are somebody else's.

        Raises:
            ValueError: the URL is none of these.
        """
        parts = _split(url)
        scheme = _SCHEMES.get(parts.scheme)
        if scheme is None or not parts.hostname or not _HOST.fullmatch(parts.hostname):
            raise ValueError("must be smtp://, smtps:// or lmtp:// with a host")
        if parts.path not in ("", "/") or parts.fragment:
            raise ValueError("has something after the host; special characters in a password are %-encoded")
        given = parameters_of(url, ("starttls", *more_parameters))
        starttls = _STARTTLS.get(given.get("starttls", _default_starttls(parts.hostname, parts.username)))
        if starttls is None:
            raise ValueError("starttls must be required, optional or never")
        return cls(
            scheme=scheme,
            host=parts.hostname,
            port=parts.port if parts.port is not None else _PORTS[scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            starttls=starttls,
        )

    @property
    def place(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_on_this_machine(self) -> bool:
        """Whether what is said to it leaves this machine."""
        return is_loopback(self.host)


def parameters_of(url: str, known: Collection[str]) -> dict[str, str]:
    """The query parameters of a URL.

    Raises:
        ValueError: one is not known, is given twice, or has no value.
    """
    given: dict[str, str] = {}
    for pair in filter(None, _split(url).query.split("&")):
        name, _, value = pair.partition("=")
        if name not in known:
            raise ValueError(f"has an unknown parameter; known are {', '.join(known)}")
        if name in given or not value:
            raise ValueError(f"{name} must be given once, with a value")
        given[name] = unquote(value)
    return given


def is_loopback(host: str) -> bool:
    """Whether this host is the machine that we run on, by its name or number."""
    return host in ("localhost", "::1") or re.fullmatch(r"127\.\d+\.\d+\.\d+", host) is not None


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read, and so checked, on each access
    except ValueError:
        # Its words quote the URL, and so perhaps a password.
        raise ValueError("cannot be read as a URL; special characters in a password are %-encoded") from None
    return parts


def _default_starttls(host: str, username: str | None) -> StartTls:
    if username:
        return "required"
    return "never" if is_loopback(host) else "optional"
