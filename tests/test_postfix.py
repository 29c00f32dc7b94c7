"""With a real Postfix as the relay: an order over HTTP, the mail in the mailbox, its report back as the status."""

import socket
import tempfile
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from bench.service import Service
from tests.factories import BODY, SUBJECT
from tests.postfix import Postfix, needs_postfix, running_postfix, service_settings, started

pytestmark = needs_postfix
LIMIT = 30.0  # seconds; a bound for a machine under load, not a measure


@pytest.fixture
def report_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def postfix(report_port: int) -> Iterator[Postfix]:
    with running_postfix(report_port) as postfix:
        yield postfix


@pytest.fixture
def service(postfix: Postfix, report_port: int) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="varsel-postfix-") as folder:
        Path(folder).chmod(0o711)
        service = Service(Path(folder), postfix.port, **service_settings(report_port))
        with started(service):
            yield service


def final_status(service: Service, **order: Any) -> tuple[str, str]:
    """Place an order for one recipient, and wait for its notification's final status; returns it and the id."""
    with service.owner() as client:
        placed = client.post("/notifications/api/v1/orders/email", json=order).raise_for_status()
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            summary = client.get(f"{placed.headers['location']}/notifications/email").raise_for_status().json()
            [notification] = summary["notifications"]
            status: str = notification["sendStatus"]["status"]
            if status not in ("New", "Sending", "Succeeded"):
                return status, notification["id"]
            time.sleep(0.05)  # between two looks
    raise AssertionError(f"not final in time\n{service.log}")


def test_what_postfix_delivers_ends_delivered_and_arrives_as_it_was_written(service: Service, postfix: Postfix) -> None:
    status, notification_id = final_status(
        service,
        subject="Vedtak – æøå",
        body="Hei Kari!\n.en linje som begynner med punktum\n\nHilsen Ås",
        recipients=[{"emailAddress": "kari@ok.test"}],
    )

    assert status == "Delivered"
    [stored] = postfix.mailbox("kari")
    # What stands above our own first header was added by Postfix on the way.
    sent = stored[stored.index(b"\nTo: ") + 1 :].decode("ascii").splitlines()
    date = sent.pop(next(number for number, line in enumerate(sent) if line.startswith("Date: ")))
    assert date.endswith(" +0000")
    assert sent == [
        "To: kari@ok.test",
        f"Message-ID: <{notification_id}@bounce.test>",
        "From: =?utf-8?b?RXRhdGVuIHDDpSDDhXM=?= <post@etaten.test>",
        "Subject: =?utf-8?b?VmVkdGFrIOKAkyDDpsO4w6U=?=",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
        "",
        "Hei Kari!",
        ".en linje som begynner med punktum",
        "",
        "Hilsen =C3=85s",
    ]


def test_an_html_mail_carries_a_plain_text_part_made_from_it(service: Service, postfix: Postfix) -> None:
    status, _ = final_status(
        service,
        subject=SUBJECT,
        body="<h1>Hei på deg</h1><p>Les <a href='https://etaten.test/'>mer</a>.</p>",
        contentType="Html",
        recipients=[{"emailAddress": "kari@ok.test"}],
    )

    assert status == "Delivered"
    message = message_from_bytes(postfix.mailbox("kari")[0], policy=default)
    plain, html = message.iter_parts()
    assert plain.get_content() == "Hei på deg\n\nLes mer <https://etaten.test/>.\n"
    assert html.get_content().strip() == "<h1>Hei på deg</h1><p>Les <a href='https://etaten.test/'>mer</a>.</p>"


def test_the_return_path_is_the_notifications_own(service: Service, postfix: Postfix) -> None:
    final_status(service, subject=SUBJECT, body=BODY, recipients=[{"emailAddress": "kari@ok.test"}])

    return_path = message_from_bytes(postfix.mailbox("kari")[0])["Return-Path"]

    assert return_path.startswith("<b+")
    assert return_path.endswith("@bounce.test>")


@pytest.mark.parametrize("address", ["unknown@ok.test", "kari@no-such-domain.test"])
def test_what_postfix_bounces_ends_bounced(service: Service, address: str) -> None:
    status, _ = final_status(service, subject=SUBJECT, body=BODY, recipients=[{"emailAddress": address}])

    assert status == "Failed_Bounced"
