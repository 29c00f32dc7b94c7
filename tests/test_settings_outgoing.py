"""Settings of what we ask others for: refused where they make no sense alone or together, shown without secrets."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.variables import set_variables
from varsel.errors import SettingsError
from varsel.outgoing_settings import OutgoingSettings, check_outgoing
from varsel.settings import Settings, for_development, for_production, load_settings

pytestmark = pytest.mark.usefixtures("no_variables")

SECRET = "hemmelig"
TOKENS = {"token_url": "https://issuer.test/token", "client_id": "varsel"}
REGISTERS = {"profile_url": "https://profile.test", "register_url": "https://register.test"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("contact_register", "http", "http"),
        ("profile_url", "https://platform.test/profile/api/v1/", "https://platform.test/profile/api/v1"),
        ("register_url", "http://10.0.0.1:5020//", "http://10.0.0.1:5020"),
        ("authorization_url", "https://[2001:db8::1]/authorization", "https://[2001:db8::1]/authorization"),
        ("token_url", "https://maskinporten.no/token", "https://maskinporten.no/token"),
        ("token_url", "https://maskinporten.no/token/", "https://maskinporten.no/token/"),
        ("token_url", "http://localhost:5090/token", "http://localhost:5090/token"),
        ("token_url", "http://127.0.0.1:5090/token", "http://127.0.0.1:5090/token"),
        ("token_url", "http://[::1]:5090/token", "http://[::1]:5090/token"),
        ("client_key", "/etc/varsel/client.pem", Path("/etc/varsel/client.pem")),
        ("register_timeout", "0.5", timedelta(seconds=0.5)),
        ("condition_timeout", "300", timedelta(minutes=5)),
        ("condition_timeout", "PT10S", timedelta(seconds=10)),
        ("condition_retry", "0", timedelta(0)),
        ("condition_unanswered", "withhold", "withhold"),
        ("condition_private", "true", True),
        ("condition_hosts", "", {}),
        ("condition_hosts", "A.Test=https://b.test/c/", {"a.test": "https://b.test/c"}),
        ("condition_hosts", " a.test = http://10.0.0.1 , b=http://c/d=e,", {"a.test": "http://10.0.0.1", "b": "http://c/d=e"}),
        ("condition_hosts", "xn--blbr-roah.test=http://b", {"xn--blbr-roah.test": "http://b"}),
    ],
)  # fmt: skip
def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    set_variables(monkeypatch, **{name: text})

    assert getattr(load_settings(), name) == value


# What no URL of a server or a folder on one may be. The secret must not be in what is said of it.
NO_BASES = [
    "",
    f"platform.test/{SECRET}",
    f"ftp://{SECRET}.test",
    "https://",
    f"https:///{SECRET}",
    f"https://platform.test/?{SECRET}",
    f"https://platform.test/{SECRET}?",
    f"https://platform.test/#{SECRET}",
    f"https://platform.test/{SECRET}#",
    f"https://platform.test:{SECRET}/",
    f"https://{SECRET}.test:99999/",
    f"https://{SECRET}.test:0/",
    f"https://{SECRET}.test:-1/",
    f"https://varsel:{SECRET}@platform.test/",
    f"https://{SECRET}@platform.test/",
    f"https://varsel:{SECRET}＠platform.test/",
    f"https://platform.test\\@{SECRET}/",
    f"https://[{SECRET}",
    f"https://[{SECRET}]/",
    f"https://{SECRET}.test/\n",
    f"https://{SECRET}.test\n/",
    f"https://{SECRET}.test/a b",
    f" https://{SECRET}.test/",
    f"https://{SECRET}.test/\t",
]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        *(("token_url", url) for url in NO_BASES),
        ("profile_url", "platform.test"),
        ("register_url", f"https://varsel:{SECRET}@platform.test/"),
        ("authorization_url", f"https://[{SECRET}]/"),
        ("public_url", f"https://{SECRET}@platform.test/"),
        ("condition_hosts", f"a.test=https://b.test,c.test=https://varsel:{SECRET}@d.test"),
        ("condition_hosts", f"a.test=https://b.test/?{SECRET}"),
        ("condition_hosts", f"a.test=https://b.test:{SECRET}"),
    ],
)
def test_a_url_that_makes_no_sense_or_holds_a_secret_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    set_variables(monkeypatch, **{name: url})

    with pytest.raises(SettingsError, match=f"VARSEL_{name.upper()}: ") as error:
        load_settings()

    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("contact_register", "ldap"),
        ("token_url", "http://issuer.test/token"),
        ("token_url", "http://localhost.issuer.test/token"),
        ("token_url", "http://127.0.0.1.issuer.test/token"),
        ("token_url", "http://10.0.0.1/token"),
        ("client_id", ""),
        ("client_secret", ""),
        ("register_timeout", "0"),
        ("condition_timeout", "0"),
        ("condition_timeout", "-1"),
        ("condition_timeout", "301"),
        ("condition_timeout", "soon"),
        ("condition_timeout", "nan"),
        ("condition_timeout", "inf"),
        ("condition_retry", "-1"),
        ("condition_unanswered", "perhaps"),
        ("condition_private", "perhaps"),
        ("condition_hosts", "a.test"),
        ("condition_hosts", "https://b.test"),
        ("condition_hosts", "=https://b.test"),
        ("condition_hosts", "a.test="),
        ("condition_hosts", "a.test=https://b.test,A.TEST=https://c.test"),
        ("condition_hosts", "a.test:443=https://b.test"),
        ("condition_hosts", "a.test.=https://b.test"),
        ("condition_hosts", "https://a.test=https://b.test"),
        ("condition_hosts", "*.test=https://b.test"),
        ("condition_hosts", "blåbær.test=https://b.test"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    set_variables(monkeypatch, **{name: text})

    with pytest.raises(SettingsError, match=f"VARSEL_{name.upper()}: "):
        load_settings()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"contact_register": "http"}, {"contact_register", "profile_url", "register_url"}),
        ({"contact_register": "http"} | REGISTERS | {"profile_url": None}, {"contact_register", "profile_url"}),
        ({"contact_register": "http"} | REGISTERS | {"register_url": None}, {"contact_register", "register_url"}),
        (TOKENS, {"token_url", "client_id", "client_secret", "client_key"}),
        (TOKENS | {"client_secret": "x", "client_key": "/x"}, {"client_secret", "client_key"}),
        (TOKENS | {"client_id": None, "client_secret": "x"}, {"token_url", "client_id"}),
        ({"register_scope": "altinn:register"}, {"register_scope", "token_url"}),
    ],
)
def test_what_needs_something_else_is_refused_without_it(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str | None], named: set[str]
) -> None:
    set_variables(monkeypatch, **{name: value for name, value in values.items() if value is not None})

    with pytest.raises(SettingsError) as error:
        check_outgoing(load_settings())

    assert not [name for name in named if f"VARSEL_{name.upper()}" not in str(error.value)]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"contact_register": "http"} | REGISTERS,
        REGISTERS,
        TOKENS | {"client_secret": "x"},
        TOKENS | {"client_key": "/x"},
        TOKENS | {"client_key": "/x", "client_key_id": "key-1", "register_scope": "altinn:register"},
        {"client_id": "varsel", "client_secret": "x"},
    ],
)
def test_what_belongs_together_is_taken(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    set_variables(monkeypatch, **values)

    check_outgoing(load_settings())


@pytest.mark.parametrize("prepare", [for_development, for_production])
def test_both_modes_refuse_what_does_not_belong_together(monkeypatch: pytest.MonkeyPatch, prepare: object) -> None:
    needed = {
        "smtp_url": "smtp://relay.test",
        "token_issuers": "https://issuer.test/",
        "from_address": "post@etat.test",
    }
    needed |= {"public_url": "https://varsel.test", "return_path_domain": "bounce.etat.test"}
    set_variables(monkeypatch, **needed, **TOKENS)
    assert callable(prepare)

    with pytest.raises(SettingsError, match="VARSEL_CLIENT_SECRET"):
        prepare(load_settings())


@pytest.mark.parametrize(
    "secret", [SECRET, f"{SECRET}://{SECRET}", f"https://{SECRET}.test/?{SECRET}", f"a://{SECRET}@b"]
)
def test_a_clients_secret_is_not_shown_whatever_it_looks_like(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    set_variables(monkeypatch, client_secret=secret)

    settings = load_settings()

    assert settings.shown("client_secret") == "****"
    assert SECRET not in repr(settings)
    assert settings.client_secret is not None
    assert settings.client_secret.get_secret_value() == secret


def test_a_secret_that_is_not_set_is_shown_as_nothing() -> None:
    assert load_settings().shown("client_secret") == ""


def test_what_is_shown_can_be_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = "b.test=http://10.0.0.1/x=y,a.test=https://gateway.test"
    set_variables(monkeypatch, condition_hosts=hosts, condition_private="true", condition_retry="PT1.5S", **REGISTERS)
    settings = load_settings()

    shown = {name: settings.shown(name) for name in Settings.model_fields if settings.shown(name)}
    set_variables(monkeypatch, **shown)

    assert (shown["condition_hosts"], shown["condition_retry"]) == (
        "a.test=https://gateway.test,b.test=http://10.0.0.1/x=y",
        "1.5",
    )
    assert load_settings() == settings


@pytest.mark.parametrize("name", OutgoingSettings.model_fields)
def test_every_variable_says_what_it_means(name: str) -> None:
    assert len((OutgoingSettings.model_fields[name].description or "").split()) > 2


def test_in_development_mode_the_sandbox_is_asked() -> None:
    settings = for_development(load_settings(dev=True, port=5091))

    assert settings.contact_register == "http"
    assert settings.profile_url == "http://127.0.0.1:5091/profile/api/v1"
    assert settings.condition_hosts == {"sandbox.test": "http://127.0.0.1:5091"}


def test_in_development_mode_the_sandbox_is_asked_beside_the_hosts_that_are_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_variables(monkeypatch, condition_hosts="vilkar.etat.no=http://10.1.2.3")

    settings = for_development(load_settings(dev=True, port=5091))

    assert settings.condition_hosts == {
        "sandbox.test": "http://127.0.0.1:5091",
        "vilkar.etat.no": "http://10.1.2.3",
    }


def test_in_development_mode_the_sandboxs_host_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, condition_hosts="sandbox.test=http://10.1.2.3")

    assert for_development(load_settings(dev=True)).condition_hosts == {"sandbox.test": "http://10.1.2.3"}


def test_outside_development_mode_nobody_is_asked_unless_named() -> None:
    settings = load_settings()

    assert settings.contact_register == "local"
    assert (settings.token_url, settings.condition_hosts, settings.condition_private) == (None, {}, False)
