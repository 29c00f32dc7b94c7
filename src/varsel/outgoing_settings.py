"""The settings of what we ask others for: contacts, send conditions, and the tokens by which others know us."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from varsel.errors import SettingsError

_NOT_IN_A_BASE = re.compile(r"[\x00-\x20\x7f?#@]")  # urlsplit drops line breaks silently, and an empty query
_HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)


def without_trailing_slash(url: str) -> str:
    """The URL of a web server or of a folder on one.

    Raises:
        ValueError: it is none, or holds a user name or password, which would be shown wherever the URL is.
    """
    try:
        parts = urlsplit(url)
        is_base = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # whose words quote it
        is_base = False
    if not is_base or _NOT_IN_A_BASE.search(url):
        raise ValueError("must be an http or https URL with a host, without user, query, fragment and spaces")
    return url.rstrip("/")


class OutgoingSettings(BaseSettings):
    """Part of `Settings`."""

    contact_register: Literal["local", "http"] = Field(
        "local",
        description="where identities become addresses: local (filled by varsel contacts), or http, which needs"
        " VARSEL_PROFILE_URL and VARSEL_REGISTER_URL",
    )
    profile_url: str | None = Field(None, description="base URL of Altinn's Profile or its like: …/profile/api/v1")
    register_url: str | None = Field(None, description="base URL of Altinn's Register or its like: …/register/api/v1")
    authorization_url: str | None = Field(
        None,
        description="base URL of a policy decision point: …/authorization/api/v1; absent: contacts that users have"
        " registered for an organisation are not used",
    )
    register_timeout: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="seconds for one answer of a register over HTTP"
    )
    register_scope: str | None = Field(
        None, description="scope of our token for these registers; absent: they are shown none"
    )
    platform_key: Path | None = Field(
        None, description="PEM file of the key that signs our PlatformAccessToken for these registers; absent: none"
    )
    platform_issuer: str = Field("platform", description="`iss` of that token")

    token_url: str | None = Field(None, description="token endpoint that gives our own client its tokens")
    client_id: str | None = Field(None, min_length=1, description="our client's id there")
    client_secret: SecretStr | None = Field(None, min_length=1, description="its secret, for client credentials")
    client_key: Path | None = Field(None, description="or PEM file of its private key, for a signed JWT grant")
    client_key_id: str | None = Field(None, description="`kid` of that key")
    token_audience: str | None = Field(None, description="`aud` of the grant; absent: the token endpoint's URL")

    condition_scope: str = Field(
        "altinn:system/notifications.condition.check", description="scope of our token for condition endpoints"
    )
    condition_timeout: timedelta = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        le=timedelta(minutes=5),
        description="seconds for the answer of a condition endpoint, redirects included",
    )
    condition_retry: timedelta = Field(
        timedelta(seconds=60),
        ge=timedelta(0),
        description="seconds until a condition endpoint that gave no answer is asked once more",
    )
    condition_unanswered: Literal["send", "withhold"] = Field(
        "send", description="what it means when that is in vain too: send, or withhold (SendConditionNotMet)"
    )
    condition_private: bool = Field(
        False,
        description="whether condition endpoints may be in private networks and on this machine",
    )
    condition_hosts: Annotated[Mapping[str, str], NoDecode] = Field(
        {},
        description="where the endpoints of a host are asked instead: host=URL,host=URL; these may be private",
    )
    http_ca: Path | None = Field(
        None, description="PEM file of authorities to trust in all of these, beside the system's"
    )

    @field_validator("profile_url", "register_url", "authorization_url")
    @classmethod
    def _is_a_base(cls, url: str | None) -> str | None:
        return without_trailing_slash(url) if url is not None else None

    @field_validator("token_url")
    @classmethod
    def _keeps_secrets(cls, url: str | None) -> str | None:
        if url is not None:
            without_trailing_slash(url)
            if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1"):
                raise ValueError("must be https, for it is told a secret")
        return url

    @field_validator("condition_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [entry.partition("=") for entry in value.split(",") if entry.strip()]
        hosts = {host.strip().lower(): without_trailing_slash(url.strip()) for host, _, url in pairs}
        if not all(_HOST_NAME.fullmatch(host) for host in hosts) or len(hosts) < len(pairs):
            raise ValueError("must be host=URL,host=URL, each host once")
        return hosts

    @field_validator("register_timeout", "condition_timeout", "condition_retry", mode="before")
    @classmethod
    def _seconds_of_outgoing(cls, value: object) -> object:
        return as_seconds(value)


def as_seconds(value: object) -> object:
    """A number in a text is seconds; what else it is may be ISO 8601, which pydantic reads."""
    try:
        return timedelta(seconds=float(value)) if isinstance(value, str) else value
    except (ValueError, OverflowError):
        return value


def check_outgoing(settings: OutgoingSettings) -> None:
    """See that what belongs together is there.

    Raises:
        SettingsError: it is not.
    """
    if settings.contact_register == "http" and not (settings.profile_url and settings.register_url):
        raise SettingsError("VARSEL_CONTACT_REGISTER=http needs VARSEL_PROFILE_URL and VARSEL_REGISTER_URL")
    proofs = [proof for proof in (settings.client_secret, settings.client_key) if proof is not None]
    if settings.token_url is not None and (settings.client_id is None or len(proofs) != 1):
        raise SettingsError(
            "VARSEL_TOKEN_URL needs VARSEL_CLIENT_ID and one of VARSEL_CLIENT_SECRET and VARSEL_CLIENT_KEY"
        )
    if settings.register_scope is not None and settings.token_url is None:
        raise SettingsError("VARSEL_REGISTER_SCOPE needs VARSEL_TOKEN_URL")
