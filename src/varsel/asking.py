"""What asks others, put together from the settings: the contact register, and send conditions."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from varsel.auth.development_issuer import DevelopmentIssuer, OwnTestTokens
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.calls import AT_ONCE, Calls
from varsel.contact_register.decisions import Decisions
from varsel.contact_register.local import LocalRegister
from varsel.contact_register.register import ContactRegister
from varsel.database.connect import Pool
from varsel.errors import SettingsError
from varsel.orders.send_condition import ConditionRules, SendConditions
from varsel.outgoing.access_tokens import AccessTokens, OwnClient
from varsel.outgoing.clients import guarded_client, trusted_client
from varsel.outgoing.credentials import Credentials, Tokens
from varsel.outgoing.own_key import PLATFORM_LIFETIME, OwnKey
from varsel.settings import Settings

APP = "notifications"  # in whose name our platform access token is
KEPT_FOR = 60.0  # seconds that a connection to a register waits for the next question


@dataclass(frozen=True, slots=True)
class Asking:
    """Those whom orders need answers from."""

    register: ContactRegister
    conditions: SendConditions


@asynccontextmanager
async def asking(pool: Pool, settings: Settings, issuer: DevelopmentIssuer | None) -> AsyncIterator[Asking]:
    """With their connections, which are closed at the end; `issuer` is that of development mode.

    Raises:
        SettingsError: a key or a file of authorities cannot be used.
    """
    authorities = _authorities(settings.http_ca)
    # Opened as they are needed: each register's calls are bounded, and nobody waits for another's to end.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=3 * AT_ONCE, keepalive_expiry=KEPT_FOR)
    trusted = trusted_client(authorities, limits)
    guarded = guarded_client(authorities, allows_private=settings.condition_private)
    async with trusted, guarded:
        tokens = _tokens(settings, trusted, issuer)
        yield Asking(
            _register(pool, settings, trusted, _register_credentials(settings, tokens, issuer)),
            SendConditions(
                ConditionRules(settings.condition_timeout, settings.condition_hosts),
                Credentials(tokens, settings.condition_scope),
                guarded=guarded,
                trusted=trusted,
            ),
        )


def _register(pool: Pool, settings: Settings, client: httpx2.AsyncClient, credentials: Credentials) -> ContactRegister:
    if settings.contact_register == "local":
        return LocalRegister(pool)
    assert settings.profile_url is not None and settings.register_url is not None  # noqa: PT018, S101  # check_outgoing

    def calls(url: str) -> Calls:
        return Calls(client, credentials, url, within=settings.register_timeout)

    url = settings.authorization_url
    decisions = Decisions(calls(url)) if url is not None else None
    return AltinnRegisters(calls(settings.profile_url), calls(settings.register_url), decisions)


def _tokens(settings: Settings, client: httpx2.AsyncClient, issuer: DevelopmentIssuer | None) -> Tokens | None:
    if settings.token_url is None:
        return OwnTestTokens(issuer) if issuer is not None else None
    assert settings.client_id is not None  # noqa: S101  # check_outgoing
    proof: str | OwnKey = (
        settings.client_secret.get_secret_value()
        if settings.client_secret is not None
        else _key("client_key", settings.client_key, settings.client_key_id)
    )
    return AccessTokens(OwnClient(settings.token_url, settings.client_id, proof, settings.token_audience), client)


def _register_credentials(settings: Settings, tokens: Tokens | None, issuer: DevelopmentIssuer | None) -> Credentials:
    wants_token = settings.register_scope is not None or settings.token_url is None
    return Credentials(
        tokens if wants_token else None, settings.register_scope or "", _platform_token(settings, issuer)
    )


def _platform_token(settings: Settings, issuer: DevelopmentIssuer | None) -> Callable[[], str] | None:
    if settings.platform_key is not None:
        key = _key("platform_key", settings.platform_key, None)
        if key.algorithm != "RS256":
            raise SettingsError("VARSEL_PLATFORM_KEY: must be an RSA key, for platform access tokens know no other")
        return lambda: key.platform_token(settings.platform_issuer, APP)
    if issuer is not None:
        return lambda: issuer.platform_token(settings.platform_issuer, APP, PLATFORM_LIFETIME)
    return None


def _key(setting: str, file: Path | None, key_id: str | None) -> OwnKey:
    assert file is not None  # noqa: S101  # check_outgoing
    try:
        return OwnKey.read(file.read_bytes(), key_id)
    except (OSError, ValueError) as error:
        raise SettingsError(f"VARSEL_{setting.upper()}: no private key in PEM that can be used") from error


def _authorities(file: Path | None) -> ssl.SSLContext:
    """The system's, and those of the file: conditions are asked of the whole internet, registers perhaps of our own."""
    context = ssl.create_default_context()
    if file is None:
        return context
    try:
        context.load_verify_locations(cafile=file)
        return context
    except OSError as error:  # ssl.SSLError is one too
        raise SettingsError("VARSEL_HTTP_CA: must be a readable file with certificates in PEM") from error
