"""The relays that mail is handed to, read from URLs."""

from pathlib import Path

import pytest

from varsel.mail_server import MailServer
from varsel.relay import Relay, read_relays

SERVER = MailServer("smtp", "relay.test", 25, starttls="optional")
KNOWN = MailServer("smtp", "relay.test", 25, "etaten", "x", "required")
NAMED = MailServer("smtp", "relay.test", 25, "etaten", None, "required")

RELAYS = {
    "smtp://relay.test": Relay(SERVER),
    "smtp://relay.test?connections=100": Relay(SERVER, connections=100),
    "smtp://relay.test?mails_a_connection=1": Relay(SERVER, mails_a_connection=1),
    "smtp://relay.test?mails_a_second=0.5": Relay(SERVER, mails_a_second=0.5),
    "smtp://relay.test?reports=successes": Relay(SERVER, reports_successes=True),
    "smtp://relay.test/?connections=2&mails_a_second=10": Relay(SERVER, connections=2, mails_a_second=10),
    "smtp://etaten:x@relay.test?auth=plain": Relay(KNOWN, auth="plain"),
    "smtp://etaten:x@relay.test?auth=login": Relay(KNOWN, auth="login"),
    "smtp://etaten:x@relay.test?auth=xoauth2": Relay(KNOWN, auth="xoauth2"),
    "smtp://etaten@relay.test?auth=xoauth2&token_file=/run/to+ken%20of/x": Relay(
        NAMED, auth="xoauth2", token_file=Path("/run/to+ken of/x")
    ),
}


@pytest.mark.parametrize(("url", "relay"), RELAYS.items(), ids=RELAYS.keys())
def test_a_relays_url_is_read(url: str, relay: Relay) -> None:
    assert Relay.from_url(url) == relay


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        *(("connections=0", "connections"), ("connections=101", "connections"), ("connections=two", "connections")),
        *(("connections=", "connections"), ("connections=-1", "connections"), ("connections=²", "connections")),
        *(("connections=2&connections=3", "connections"), ("starttls=never&starttls=never", "starttls")),
        *(("mails_a_connection=0", "mails_a_connection"), ("mails_a_connection=1000001", "mails_a_connection")),
        *(("mails_a_second=0", "mails_a_second"), ("mails_a_second=0.09", "mails_a_second")),
        *(("mails_a_second=10001", "mails_a_second"), ("mails_a_second=nan", "mails_a_second")),
        *(("mails_a_second=1e3", "mails_a_second"), ("mails_a_second=-1", "mails_a_second")),
        *(("auth=ntlm", "auth"), ("auth=plain", "user name"), ("auth=xoauth2", "user name")),
        *(("token_file=/run/token", "auth=xoauth2"), ("reports=failures", "reports"), ("conections=2", "connections")),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(parameters: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Relay.from_url(f"smtp://relay.test?{parameters}")


@pytest.mark.parametrize(
    "url",
    [
        "smtp://etaten@relay.test?auth=xoauth2",
        "smtp://etaten:x@relay.test?auth=xoauth2&token_file=/run/token",
        "smtp://etaten:x@relay.test?auth=plain&token_file=/run/token",
        "lmtp://relay.test",
    ],
)
def test_what_is_no_way_to_a_relay_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Relay.from_url(url)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("smtp://a.test", ["a.test:25"]),
        (" smtp://a.test\n\tsmtps://b.test ", ["a.test:25", "b.test:465"]),
        ("smtp://a.test,smtps://b.test", ["a.test:25", "b.test:465"]),
        ("smtp://a.test , SMTP://b.test", ["a.test:25", "b.test:25"]),
        ("smtp://u:a,b@a.test,smtp://u:,smtp@b.test", ["a.test:25", "b.test:25"]),
        ("smtp://[::1]:2525", ["[::1]:2525"]),
    ],
)
def test_relays_are_apart_by_whitespace_or_commas(text: str, names: list[str]) -> None:
    assert [relay.name for relay in read_relays(text)] == names


@pytest.mark.parametrize("text", ["", " ", "smtp://a.test,", "smtp://a.test,b.test", "smtp://a.test smtp:b.test", ","])
def test_a_list_with_something_else_in_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_relays(text)


def test_which_of_several_relays_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"relay 2: connections must be a whole number from 1 to 100"):
        read_relays("smtp://a.test smtp://b.test?connections=0 smtp://c.test?connections=0")
