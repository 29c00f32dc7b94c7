"""Every setting of the program: its name, its unit, its meaning, its default.

Settings are environment variables named `VARSEL_` and the field's name in capitals. Durations are seconds. With
`--dev` whatever is unset is defaulted for work on one machine; without it the five that say who we are to the
world have no sensible default, and the program refuses to start until they are set.
"""

import json
import os
import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from varsel.errors import SettingsError
from varsel.mail_server import MailServer
from varsel.outgoing_settings import OutgoingSettings, as_seconds, check_outgoing, without_trailing_slash
from varsel.relay import CONNECTIONS, MOST_CONNECTIONS, Relay, read_relays, split_urls
from varsel.token_issuer import TokenIssuer

NEEDED_OUTSIDE_DEV = ("smtp_url", "token_issuers", "public_url", "from_address", "return_path_domain")
DEV_DOMAIN = "varsel.test"
SANDBOX_HOST = "sandbox.test"  # in development mode, conditions on this host are asked of ourselves

_PASSWORD_IN_QUERY = re.compile(r"([?&][^=&]*password=)[^&]*", re.IGNORECASE)


def _without_secrets(url: str) -> str:
    """A URL for people. Whatever a password holds, it ends at the last @, so nothing before that is shown of it."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "****"
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}{':****' if colon else ''}{at}" + _PASSWORD_IN_QUERY.sub(r"\1****", place)


def _authorities(file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file)


def default_data_dir() -> Path:
    """`/var/lib/varsel` for root, else the user's own data directory (XDG base directories)."""
    if os.geteuid() == 0:
        return Path("/var/lib/varsel")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "varsel"


class Settings(OutgoingSettings):
    """What an operator can set; `varsel settings` prints each with its meaning and present value."""

    model_config = SettingsConfigDict(env_prefix="VARSEL_", frozen=True, extra="ignore")

    dev: bool = Field(
        False, description="development mode: loopback, test issuer, and a sandbox: mail server, contact registers"
    )
    host: str = Field("127.0.0.1", description="address that the API listens on")
    port: int = Field(5090, ge=0, le=65535, description="port that the API listens on; 0 takes a free one")
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="folder of the embedded database and the test issuer's key",
    )
    public_url: str | None = Field(None, description="URL at which clients reach us; the base of every link")
    max_body: int = Field(30_000_000, gt=0, description="largest request body, bytes")

    database_url: SecretStr | None = Field(
        None,
        description="postgresql://… of your own server; absent: embedded PostgreSQL in the data directory",
    )
    database_connections: int = Field(8, ge=2, description="connections to PostgreSQL of one process")
    pg_bin: Path | None = Field(None, description="folder of initdb and postgres for the embedded database")
    pg_os_user: str | None = Field(None, description="who runs the embedded database when we are root")

    smtp_url: SecretStr | None = Field(
        None,
        description="the relays, the preferred one first: smtp://user:secret@host:587?starttls=required, smtps://…;"
        " parameters are in docs/operations.md",
    )
    smtp_connections: int = Field(
        CONNECTIONS,
        ge=1,
        le=MOST_CONNECTIONS,
        description="connections to a relay of one process, where its URL says no number",
    )
    smtp_ca: Path | None = Field(
        None, description="PEM file of the authorities that relays' certificates come from; absent: the system's"
    )
    from_address: str | None = Field(None, description="From of mails whose order names none")
    return_path_domain: str | None = Field(
        None, description="domain of the return paths; its mail must come to the report listener"
    )
    reports_listen: str | None = Field(
        None, description="where delivery reports come in: lmtp://host:port or smtp://host:port"
    )
    dsn_notify: Annotated[frozenset[Literal["success", "failure", "delay"]], NoDecode] = Field(
        frozenset({"success", "failure", "delay"}),
        description="reports asked of the relay (RFC 3461); success halves what a Postfix relay takes",
    )
    relayed: Literal["delivered", "succeeded"] = Field(
        "delivered", description="send status that a `relayed` report means"
    )
    complaints_address: str | None = Field(
        None, description="address that feedback loops send complaints to (RFC 5965); absent: none are taken"
    )
    complaints_a_minute: int = Field(60, gt=0, description="complaints taken a minute; more are told to come later")
    suppress: Annotated[frozenset[Literal["bounces", "complaints"]], NoDecode] = Field(
        frozenset({"bounces", "complaints"}),
        description="what puts an address on its owner's suppression list; empty: only the command line does",
    )
    in_doubt_wait: timedelta = Field(
        timedelta(seconds=5),
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="seconds that a mail whose attempt has no known result waits for a report about it",
    )
    in_doubt: Literal["resend", "fail"] = Field(
        "resend", description="what follows that wait: resend (it may arrive twice) or fail (it may never arrive)"
    )
    retry_first: timedelta = Field(
        timedelta(seconds=60),
        gt=timedelta(0),
        description="seconds to the second attempt of a deferred mail; doubles after that",
    )
    retry_max: timedelta = Field(
        timedelta(hours=1), gt=timedelta(0), description="longest pause between two attempts, seconds"
    )

    token_issuers: Annotated[tuple[TokenIssuer, ...], NoDecode] = Field(
        (),
        description='issuers of bearer tokens: URLs apart by commas, or JSON [{"issuer": …, "jwks_url": …}]',
    )
    platform_certificates: Path | None = Field(
        None, description="folder of certificates for PlatformAccessToken: ISSUER.pem, ISSUER.NAME.pem, ISSUER/*.pem"
    )
    internal_domains: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="domains that recipients may have though the internet knows none: local,corp.lan"
    )
    limit_requests: int | None = Field(None, gt=0, description="requests a minute of one owner; absent: no limit")
    limit_recipients: int | None = Field(None, gt=0, description="recipients a day of one owner; absent: no limit")
    test_clients: Path | None = Field(
        None, description="JSON file of clients that the test issuer of development mode knows, beside its own"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level logged")

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be postgresql://…")
        return url

    @field_validator("from_address")
    @classmethod
    def _is_a_mailbox(cls, mailbox: str | None) -> str | None:
        if mailbox is not None and not re.fullmatch(r"[^<>@\r\n]+ ?<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+", mailbox):
            raise ValueError("must be an address, or a name and an address in angle brackets")
        return mailbox

    @field_validator("complaints_address")
    @classmethod
    def _is_an_address(cls, address: str | None) -> str | None:
        if address is not None and not re.fullmatch(r"[!-~]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", address):
            raise ValueError("must be an address in ASCII")
        return address.lower() if address else None

    @field_validator("public_url")
    @classmethod
    def _is_a_base_url(cls, url: str | None) -> str | None:
        return without_trailing_slash(url) if url is not None else None

    @field_validator("smtp_url")
    @classmethod
    def _is_a_relay(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            read_relays(url.get_secret_value())
        return url

    @field_validator("smtp_ca")
    @classmethod
    def _holds_authorities(cls, file: Path | None) -> Path | None:
        try:
            _authorities(file)
        except OSError:  # ssl.SSLError is one too
            raise ValueError("must be a readable file with certificates in PEM") from None
        return file

    @field_validator("reports_listen")
    @classmethod
    def _is_a_listener(cls, url: str | None) -> str | None:
        if url is not None and MailServer.from_url(url).scheme == "smtps":
            raise ValueError("must be lmtp:// or smtp://")
        return url

    @field_validator("return_path_domain")
    @classmethod
    def _is_a_domain(cls, domain: str | None) -> str | None:
        if domain is not None and not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", domain):
            raise ValueError("must be a domain name in ASCII (A-labels)")
        return domain.lower() if domain else None

    @field_validator("dsn_notify", "suppress", "internal_domains", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(word.strip().lower().lstrip(".") for word in value.split(",") if word.strip())
        return value

    @field_validator("retry_first", "retry_max", "in_doubt_wait", mode="before")
    @classmethod
    def _seconds(cls, value: object) -> object:
        return as_seconds(value)

    @field_validator("token_issuers", mode="before")
    @classmethod
    def _issuers(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return [{"issuer": entry} if isinstance(entry, str) else entry for entry in json.loads(value)]
        issuers = [{"issuer": url.strip()} for url in value.split(",") if url.strip()]
        if not issuers:
            raise ValueError("names no issuer")
        return issuers

    def shown(self, name: str) -> str:
        """The value of a setting for people: no secret, durations in seconds, nothing for unset."""
        value = getattr(self, name)
        if name == "smtp_url" and value is not None:
            return " ".join(_without_secrets(url) for url in split_urls(value.get_secret_value()))
        if name == "database_url" and value is not None:
            return _without_secrets(value.get_secret_value())
        if isinstance(value, SecretStr):
            return "****"
        if isinstance(value, timedelta):
            return f"{value.total_seconds():g}"
        if isinstance(value, frozenset):
            return ",".join(sorted(value))
        if isinstance(value, Mapping):
            return ",".join(f"{key}={entry}" for key, entry in sorted(value.items()))
        if name == "token_issuers":
            return ",".join(issuer.issuer for issuer in self.token_issuers)
        return "" if value is None else str(value)

    @property
    def relays(self) -> tuple[Relay, ...]:
        """The relays that mail is handed to, the preferred one first."""
        assert self.smtp_url is not None  # noqa: S101  # for_development and for_production see to it
        return read_relays(self.smtp_url.get_secret_value(), connections=self.smtp_connections)

    @property
    def relay_authorities(self) -> ssl.SSLContext:
        """Whose certificates a relay may have; names are verified."""
        return _authorities(self.smtp_ca)

    @property
    def base_url(self) -> str:
        """Where clients reach us, without a trailing slash."""
        assert self.public_url is not None  # noqa: S101  # for_development and for_production see to it
        return self.public_url

    @property
    def sender(self) -> str:
        """From of mails whose order names none."""
        assert self.from_address is not None  # noqa: S101  # for_development and for_production see to it
        return self.from_address

    @property
    def bounce_domain(self) -> str:
        """The domain of the return paths, and the right side of our Message-IDs."""
        assert self.return_path_domain is not None  # noqa: S101  # for_development and for_production see to it
        return self.return_path_domain

    @property
    def test_issuer(self) -> str:
        """The `iss` of the tokens that development mode makes; real clients derive their URLs from it."""
        return f"{self.base_url}/authentication/api/v1/openid/"


def load_settings(**given: object) -> Settings:
    """Read the environment; `given` (from the command line) wins over it, None counts as not given.

    Raises:
        SettingsError: a value cannot be used; names the variables, never shows their values.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"VARSEL_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError("; ".join(lines)) from None


def for_development(settings: Settings, *, smtp_port: int = 0) -> Settings:
    """Default whatever is unset for work on one machine; `smtp_port` is the sandbox's.

    Raises:
        SettingsError: the service would listen beyond this machine, where nobody may trust a test issuer; or what is
            set contradicts itself.
    """
    require_loopback(settings)
    own_url = f"http://[::1]:{settings.port}" if settings.host == "::1" else f"http://127.0.0.1:{settings.port}"
    update = {
        name: value
        for name, value in _development_defaults(own_url, smtp_port).items()
        if getattr(settings, name) is None or name not in settings.model_fields_set
    }
    update["condition_hosts"] = {SANDBOX_HOST: own_url, **settings.condition_hosts}
    settings = settings.model_copy(update=update)
    check_outgoing(settings)
    return settings


def _development_defaults(own_url: str, smtp_port: int) -> Mapping[str, object]:
    return {
        "public_url": own_url,
        "smtp_url": SecretStr(f"smtp://127.0.0.1:{smtp_port}"),
        "from_address": f"noreply@{DEV_DOMAIN}",
        "return_path_domain": f"bounce.{DEV_DOMAIN}",
        "reports_listen": "lmtp://127.0.0.1:0",
        "retry_first": timedelta(seconds=2),
        "condition_retry": timedelta(seconds=5),
        # The sandbox's own, over HTTP like real ones.
        "contact_register": "http",
        "profile_url": f"{own_url}/profile/api/v1",
        "register_url": f"{own_url}/register/api/v1",
        "authorization_url": f"{own_url}/authorization/api/v1",
    }


def require_loopback(settings: Settings) -> None:
    """Development mode trusts tokens that anybody can make.

    Raises:
        SettingsError: the service would listen beyond this machine.
    """
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        raise SettingsError("--dev trusts a test issuer, so it listens on loopback only: drop --host")


def for_production(settings: Settings) -> Settings:
    """Check that everything is set that has no sensible default.

    Raises:
        SettingsError: names every setting that is missing.
    """
    missing = [f"VARSEL_{name.upper()}" for name in NEEDED_OUTSIDE_DEV if not getattr(settings, name)]
    if missing:
        raise SettingsError(f"not set: {', '.join(missing)} (or start with --dev, which defaults them)")
    check_outgoing(settings)
    return settings
