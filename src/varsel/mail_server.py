"""Where a mail server is, and how to speak with it: one URL says it all."""

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

Scheme = Literal["smtp", "smtps", "lmtp"]
StartTls = Literal["required", "optional", "never"]
_SCHEMES: dict[str, Scheme] = {"smtp": "smtp", "smtps": "smtps", "lmtp": "lmtp"}
_PORTS: dict[Scheme, int] = {"smtp": 25, "smtps": 465, "lmtp": 24}
_STARTTLS: dict[str, StartTls] = {"required": "required", "optional": "optional", "never": "never"}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where a mail server is, and how to speak with it."""

    scheme: Scheme
    host: str
    port: int
    username: str | None = None
    password: str | None = None
    starttls: StartTls = "never"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `smtp://user:secret@host:587?starttls=required`, `smtps://host` or `lmtp://host:24`.

        Without `starttls=` a relay with credentials requires it (RFC 6409: a password never goes in clear),
        one on this machine does without, any other takes it where offered.

        Raises:
            ValueError: the URL is none of these.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # Its words quote the URL, and so perhaps a password.
            raise ValueError("cannot be read as a URL; special characters in a password are %-encoded") from None
        scheme = _SCHEMES.get(parts.scheme)
        if scheme is None or not parts.hostname:
            raise ValueError("must be smtp://, smtps:// or lmtp:// with a host")
        default = _default_starttls(parts.hostname, parts.username)
        starttls = _STARTTLS.get(parse_qs(parts.query).get("starttls", [default])[-1])
        if starttls is None:
            raise ValueError("starttls must be required, optional or never")
        return cls(
            scheme=scheme,
            host=parts.hostname,
            port=port if port is not None else _PORTS[scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            starttls=starttls,
        )


def _default_starttls(host: str, username: str | None) -> StartTls:
    if username:
        return "required"
    return "never" if host in ("localhost", "127.0.0.1", "::1") else "optional"
