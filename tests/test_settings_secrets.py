"""A secret is in the settings, and nowhere else: not in what is shown, not in what is said of an error."""

from contextlib import suppress

import pytest

from varsel.database.connect import open_pool
from varsel.errors import DatabaseUnavailable, SettingsError
from varsel.settings import load_settings

SECRET = "hemmelig"


@pytest.mark.parametrize(
    "url",
    [
        f"http://etaten:{SECRET}@relay.etat.test",
        f"lmtp://etaten:{SECRET}@relay.etat.test",
        f"smtp://etaten:{SECRET}@",
        f"smtp://etaten:{SECRET}@relay.etat.test:99999",
        f"smtp://etaten:{SECRET}@relay.etat.test?starttls=perhaps",
        f"smtp://etaten:{SECRET}@relay.etat.test?conections=2",
        f"smtp://etaten:{SECRET}@relay.etat.test?auth={SECRET}",
        f"smtp://etaten:{SECRET}@relay.etat.test?token_file=/{SECRET}",
        f"smtp://one.test smtp://etaten:{SECRET}@relay.etat.test?mails_a_second=many",
        f"smtp://etaten:{SECRET} {SECRET}@relay.etat.test",
        f"smtp://etaten:{SECRET},smtp://{SECRET}@relay.etat.test",
        f"smtp://etaten:5?{SECRET}=@relay.etat.test",
        f"smtp://etaten:5?starttls={SECRET}@relay.etat.test",
        f"smtp://etaten:5/{SECRET}@relay.etat.test",
        f"smtp://etaten:5#{SECRET}@relay.etat.test",
        f"smtp://etaten:{SECRET}/2@relay.etat.test",
        f"smtp://etaten:{SECRET}#2@relay.etat.test",
        f"smtp://etaten:{SECRET}＠@relay.etat.test",
        f"smtp://[{SECRET}",
    ],
)
def test_no_error_shows_a_secret(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("VARSEL_SMTP_URL", url)

    with pytest.raises(SettingsError, match="VARSEL_SMTP_URL") as error:
        load_settings()

    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(("name", "scheme"), [("smtp_url", "smtp"), ("database_url", "postgresql")])
@pytest.mark.parametrize(
    "rest",
    [
        f"etaten:{SECRET}@server.etat.test",
        f"etaten:{SECRET}@server.etat.test:587/?starttls=required",
        f"etaten:{SECRET}@[::1]:465",
        f":{SECRET}@server.etat.test",
        f"etaten:a%40{SECRET}%2F@server.etat.test",
        f"etaten:a:{SECRET}@server.etat.test",
        f"etaten:a@{SECRET}@server.etat.test",
    ],
)
def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, name: str, scheme: str, rest: str) -> None:
    monkeypatch.setenv(f"VARSEL_{name.upper()}", f"{scheme}://{rest}")

    settings = load_settings()

    assert SECRET not in settings.shown(name)
    assert SECRET not in repr(settings)
    assert settings.shown(name).startswith(f"{scheme}://")
    assert settings.shown(name).endswith(rest.rpartition("@")[2])


def test_no_secret_of_several_relays_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = f"smtp://a:{SECRET}@one.test, smtp://b:1,{SECRET}@two.test:587?auth=xoauth2\nsmtps://three.test"
    monkeypatch.setenv("VARSEL_SMTP_URL", urls)

    settings = load_settings()

    assert settings.shown("smtp_url") == (
        "smtp://a:****@one.test smtp://b:****@two.test:587?auth=xoauth2 smtps://three.test"
    )
    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.relays)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://server.etat.test/varsel?user=varsel&password={SECRET}",
        f"postgresql://server.etat.test/varsel?sslpassword={SECRET}",
        f"postgresql://varsel:a/{SECRET}@server.etat.test/varsel",
        f"postgresql://varsel:a@one.test:5432,two.test:5432/varsel?password={SECRET}&target_session_attrs=any",
    ],
)
def test_a_password_anywhere_in_a_database_url_is_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("VARSEL_DATABASE_URL", url)

    assert SECRET not in load_settings().shown("database_url")


@pytest.mark.parametrize(
    "text", [f"host=server.etat.test password={SECRET}", f"varsel:{SECRET}@server.etat.test", SECRET]
)
def test_what_is_no_url_is_not_shown_either(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("VARSEL_DATABASE_URL", text)

    with suppress(SettingsError):  # refusing it is as good
        assert SECRET not in load_settings().shown("database_url")


@pytest.mark.parametrize(
    "rest",
    [
        f"varsel:{SECRET}/1@server.test/varsel",
        f"varsel:{SECRET}#1@server.test/varsel",
        f"varsel:1?{SECRET}@server.test/varsel",
        f"varsel:1@[{SECRET}@server.test/varsel",
        f"varsel@server.test/varsel?password={SECRET}&sslmode={SECRET}",
    ],
)
async def test_a_database_url_that_cannot_be_used_is_not_quoted(rest: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="VARSEL_DATABASE_URL") as error:
        await open_pool(f"postgresql://{rest}", connections=1)

    assert SECRET not in str(error.value)
