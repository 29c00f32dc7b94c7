"""Settings: read from the environment, defaulted where that is safe, refused where they make no sense."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.transports.certificates import Authority
from tests.variables import set_variables
from varsel.errors import SettingsError
from varsel.mail_server import MailServer
from varsel.outgoing_settings import OutgoingSettings
from varsel.relay import Relay
from varsel.settings import (
    NEEDED_OUTSIDE_DEV,
    Settings,
    for_development,
    for_production,
    load_settings,
)
from varsel.token_issuer import TokenIssuer

pytestmark = pytest.mark.usefixtures("no_variables")

NEEDED = {
    "smtp_url": "smtp://relay.etat.test",
    "token_issuers": "https://issuer.test/",
    "public_url": "https://varsel.etat.test",
    "from_address": "post@etat.test",
    "return_path_domain": "bounce.etat.test",
}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_variable_says_what_it_means(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description is not None
    assert len(description.split()) > 2


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        for_production(load_settings())

    assert [name for name in NEEDED_OUTSIDE_DEV if f"VARSEL_{name.upper()}" in str(error.value)] == list(
        NEEDED_OUTSIDE_DEV
    )


@pytest.mark.parametrize("missing", NEEDED_OUTSIDE_DEV)
def test_each_of_the_five_is_missed_alone(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    set_variables(monkeypatch, **{name: value for name, value in NEEDED.items() if name != missing})

    with pytest.raises(SettingsError) as error:
        for_production(load_settings())

    named = [name for name in Settings.model_fields if f"VARSEL_{name.upper()}" in str(error.value)]
    assert named == [missing]


def test_with_the_five_the_service_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, **NEEDED)

    settings = for_production(load_settings())

    assert settings.relays == (Relay(MailServer("smtp", "relay.etat.test", 25, starttls="optional")),)
    assert settings.base_url == "https://varsel.etat.test"
    assert (settings.sender, settings.bounce_domain) == ("post@etat.test", "bounce.etat.test")


def test_relays_come_in_the_order_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = "smtps://one.test?connections=2 smtp://etaten:a,b@two.test,smtp://three.test"
    set_variables(monkeypatch, smtp_url=urls, smtp_connections="5")

    relays = load_settings().relays

    assert [relay.name for relay in relays] == ["one.test:465", "two.test:25", "three.test:25"]
    assert [relay.connections for relay in relays] == [2, 5, 5]
    assert relays[1].server.password == "a,b"


def test_the_authorities_of_relays_can_be_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_variables(monkeypatch, smtp_ca=str(Authority(tmp_path).file))

    [authority] = load_settings().relay_authorities.get_ca_certs()

    assert authority["subject"] == (((("commonName", "Throwaway authority"),)),)


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, port="5091", host="localhost")

    settings = load_settings(port=5092, host=None)

    assert (settings.port, settings.host) == (5092, "localhost")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("dev", "true", True),
        ("port", "0", 0),
        ("data_dir", "/srv/varsel", Path("/srv/varsel")),
        ("public_url", "https://varsel.etat.test/", "https://varsel.etat.test"),
        ("public_url", "http://127.0.0.1:5090/varsel//", "http://127.0.0.1:5090/varsel"),
        ("return_path_domain", "Bounce.Etat.TEST", "bounce.etat.test"),
        ("dsn_notify", "failure", frozenset({"failure"})),
        ("dsn_notify", " FAILURE , delay ", frozenset({"failure", "delay"})),
        ("dsn_notify", "", frozenset()),
        ("relayed", "succeeded", "succeeded"),
        ("retry_first", "60", timedelta(seconds=60)),
        ("retry_first", "2", timedelta(seconds=2)),
        ("retry_first", "0.5", timedelta(seconds=0.5)),
        ("retry_max", "7200", timedelta(hours=2)),
        ("token_issuers", "https://a.test/", (TokenIssuer("https://a.test/"),)),
        ("token_issuers", "https://a.test/, https://b.test", (TokenIssuer("https://a.test/"), TokenIssuer("https://b.test"))),
        ("token_issuers", '[{"issuer": "a", "jwks_url": "https://a.test/keys"}]', (TokenIssuer("a", "https://a.test/keys"),)),
        ("token_issuers", '["https://a.test/"]', (TokenIssuer("https://a.test/"),)),
        ("log_level", "DEBUG", "DEBUG"),
    ],
)  # fmt: skip
def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    set_variables(monkeypatch, **{name: text})

    assert getattr(load_settings(), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dev", "perhaps"),
        ("port", "70000"),
        ("port", "-1"),
        ("port", "http"),
        ("max_body", "0"),
        ("public_url", "varsel.etat.test"),
        ("public_url", "ftp://varsel.etat.test"),
        ("public_url", "https://"),
        ("database_connections", "1"),
        ("smtp_url", "relay.etat.test"),
        ("smtp_url", "lmtp://relay.etat.test"),
        ("smtp_url", "http://relay.etat.test"),
        ("smtp_url", "smtp://"),
        ("smtp_url", "smtp://relay.etat.test:99999"),
        ("smtp_url", "smtp://relay.etat.test?starttls=perhaps"),
        ("smtp_url", " , "),
        ("smtp_url", "smtp://relay.etat.test relay.etat.test"),
        ("smtp_url", "smtp://relay.etat.test,lmtp://relay.etat.test"),
        ("smtp_url", "smtp://relay.etat.test?connections=0"),
        ("smtp_connections", "0"),
        ("smtp_connections", "101"),
        ("smtp_ca", "/nowhere/authority.pem"),
        ("smtp_ca", "/dev/null"),
        ("return_path_domain", "bounce etat test"),
        ("return_path_domain", "bounce.etat.test\r\nBcc: x"),
        ("return_path_domain", "bounce@etat.test"),
        ("return_path_domain", "blåbær.test"),
        ("reports_listen", "smtps://127.0.0.1"),
        ("reports_listen", "127.0.0.1:24"),
        ("dsn_notify", "never"),
        ("dsn_notify", "failure,sucess"),
        ("relayed", "perhaps"),
        ("retry_first", "-5"),
        ("retry_first", "soon"),
        ("retry_max", "-PT1H"),
        ("token_issuers", "["),
        ("token_issuers", '[{"iss": "https://a.test/"}]'),
        ("token_issuers", "[1]"),
        ("token_issuers", " , "),
        ("log_level", "LOUD"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    set_variables(monkeypatch, **{name: text})

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert f"VARSEL_{name.upper()}" in str(error.value)


def test_every_value_that_makes_no_sense_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, port="http", relayed="perhaps")

    with pytest.raises(SettingsError, match=r"VARSEL_PORT.*VARSEL_RELAYED"):
        load_settings()


def test_what_is_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, **NEEDED, dsn_notify="failure,delay", retry_max="PT2H")

    settings = load_settings()

    assert settings.shown("smtp_url") == "smtp://relay.etat.test"
    assert settings.shown("dsn_notify") == "delay,failure"
    assert settings.shown("retry_max") == "7200"
    assert settings.shown("token_issuers") == "https://issuer.test/"
    assert (settings.shown("pg_bin"), settings.shown("port")) == ("", "5090")


def test_what_is_shown_can_be_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, **NEEDED, retry_first="PT1.5S")
    settings = load_settings()

    set_variables(monkeypatch, **{name: settings.shown(name) for name in Settings.model_fields if settings.shown(name)})

    assert load_settings() == settings


def test_each_setting_is_printed_once_and_what_we_ask_others_for_comes_last() -> None:
    printed = subprocess.run([sys.executable, "-m", "varsel", "settings"], capture_output=True, check=True).stdout

    lines = [line for line in printed.decode().splitlines() if line.startswith("VARSEL_")]
    names = [line.partition("=")[0].removeprefix("VARSEL_").lower() for line in lines]
    own = [name for name in Settings.model_fields if name not in OutgoingSettings.model_fields]
    assert names == [*own, *OutgoingSettings.model_fields]
    assert names[:2] == ["dev", "host"]


@pytest.fixture
def dev_defaults() -> Settings:
    return for_development(load_settings(dev=True), smtp_port=2525)


def test_development_needs_nothing_set(dev_defaults: Settings) -> None:
    assert dev_defaults.relays == (Relay(MailServer("smtp", "127.0.0.1", 2525)),)
    assert dev_defaults.base_url == "http://127.0.0.1:5090"
    assert dev_defaults.sender == "noreply@varsel.test"
    assert dev_defaults.bounce_domain == "bounce.varsel.test"
    assert dev_defaults.reports_listen == "lmtp://127.0.0.1:0"
    assert dev_defaults.retry_first == timedelta(seconds=2)
    assert dev_defaults.test_issuer == "http://127.0.0.1:5090/authentication/api/v1/openid/"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("public_url", "https://dev.etat.test"),
        ("smtp_url", "smtp://relay.etat.test"),
        ("from_address", "post@etat.test"),
        ("return_path_domain", "bounce.etat.test"),
        ("reports_listen", "smtp://127.0.0.1:2626"),
        ("retry_first", "PT1M"),
    ],
)
def test_each_default_of_development_gives_way_alone(
    monkeypatch: pytest.MonkeyPatch, dev_defaults: Settings, name: str, text: str
) -> None:
    set_variables(monkeypatch, **{name: text}, dev="1")
    given = load_settings()

    settings = for_development(given, smtp_port=2525)

    assert getattr(settings, name) == getattr(given, name) != getattr(dev_defaults, name)
    others = [other for other in Settings.model_fields if other != name]
    assert [getattr(settings, other) for other in others] == [getattr(dev_defaults, other) for other in others]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_development_listens_on_this_machine(host: str) -> None:
    assert for_development(load_settings(dev=True, host=host)).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "varsel.etat.test", "", "127.0.0.1.etat.test"])
def test_development_listens_nowhere_else(host: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        for_development(load_settings(dev=True, host=host))
