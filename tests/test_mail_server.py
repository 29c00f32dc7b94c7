"""Where a mail server is, and how to speak with it, in one URL."""

import pytest

from varsel.mail_server import MailServer

SERVERS = {
    "smtp://relay.test": MailServer("smtp", "relay.test", 25, starttls="optional"),
    "smtp://relay.test:587": MailServer("smtp", "relay.test", 587, starttls="optional"),
    "smtps://relay.test": MailServer("smtps", "relay.test", 465, starttls="optional"),
    "lmtp://relay.test": MailServer("lmtp", "relay.test", 24, starttls="optional"),
    "lmtp://127.0.0.1:0": MailServer("lmtp", "127.0.0.1", 0, starttls="never"),
    "smtp://localhost": MailServer("smtp", "localhost", 25, starttls="never"),
    "smtp://[::1]:2525": MailServer("smtp", "::1", 2525, starttls="never"),
    "SMTP://Relay.TEST": MailServer("smtp", "relay.test", 25, starttls="optional"),
    "smtp://etat:x@relay.test:587": MailServer("smtp", "relay.test", 587, "etat", "x", "required"),
    "smtp://etat:x@localhost": MailServer("smtp", "localhost", 25, "etat", "x", "required"),
    "smtp://etat@relay.test": MailServer("smtp", "relay.test", 25, "etat", None, "required"),
    "smtp://e%40tat:a%3Ab%40c%2Fd@relay.test": MailServer("smtp", "relay.test", 25, "e@tat", "a:b@c/d", "required"),
    "smtp://relay.test?starttls=never": MailServer("smtp", "relay.test", 25, starttls="never"),
    "smtp://localhost?starttls=required": MailServer("smtp", "localhost", 25, starttls="required"),
    "smtp://etat:x@relay.test?starttls=never": MailServer("smtp", "relay.test", 25, "etat", "x", "never"),
}


@pytest.mark.parametrize(("url", "server"), SERVERS.items(), ids=SERVERS.keys())
def test_a_mail_servers_url_is_read(url: str, server: MailServer) -> None:
    assert MailServer.from_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "relay.test",
            "relay.test:25",
            "http://relay.test",
            "smtp://",
            "smtp:relay.test",
            "smtp://:25",
            "//relay.test",
        ),
        *("smtp://relay.test:port", "smtp://relay.test:65536", "smtp://[::1", "smtp://relay.test?starttls=yes"),
        "smtp://relay.test?starttls=required&starttls=perhaps",
    ],
)
def test_what_names_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        MailServer.from_url(url)
