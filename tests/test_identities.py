"""The service in development mode as clients meet it: orders by identity, on a condition, and what a kill costs.

The scenarios are those of the original's own functional tests, trailing slashes included.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench.service import Service
from tests.factories import BODY, SUBJECT
from varsel.sandbox.contacts import ORGANIZATIONS, PERSONS, Lookup

ORDERS = "/notifications/api/v1/orders"
LIMIT = 60.0  # seconds; a bound for a machine under load, not a measure
CONDITION = "https://sandbox.test/notifications/api/v1/tests/sendcondition"
FALTERING = next(person.number for person in PERSONS.values() if person.lookup is Lookup.FALTERING)
SLOW = next(person.number for person in PERSONS.values() if person.lookup is Lookup.SLOW)
REFUSED = next(person.number for person in PERSONS.values() if person.lookup is Lookup.REFUSED)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    # Not pytest's own folder: where we are root the embedded database's user must be able to pass.
    with tempfile.TemporaryDirectory(prefix="varsel-identities-") as folder:
        Path(folder).chmod(0o711)
        service = Service(Path(folder))
        service.start()
        yield service
        service.stop()


@pytest.fixture
def owner(service: Service) -> Iterator[httpx2.Client]:
    with service.owner() as client:
        yield client


def until(client: httpx2.Client, path: str, is_reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT
    while True:
        answer: dict[str, Any] = client.get(path).raise_for_status().json()
        if is_reached(answer):
            return answer
        assert time.monotonic() < deadline, "not reached in time"
        time.sleep(0.02)  # between two looks


def is_final(summary: dict[str, Any]) -> bool:
    statuses = [n["sendStatus"]["status"] for n in summary["notifications"]]
    return bool(statuses) and not {"New", "Sending", "Succeeded"} & set(statuses)


def order(*recipients: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"subject": SUBJECT, "body": BODY, "recipients": recipients, **more}


def test_an_order_to_an_organisation_goes_as_the_originals_own_tests_want_it(owner: httpx2.Client) -> None:
    number = "310300004"
    body = order({"organizationNumber": number}, sendersReference="orders-org-no")
    body["requestedSendTime"] = time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())
    placed = owner.post(f"{ORDERS}/email/", json=body)

    assert placed.status_code == 202
    assert placed.json()["recipientLookup"] == {"status": "Success", "isReserved": [], "missingContact": []}
    order_id = placed.json()["orderId"]
    assert placed.headers["location"].endswith(f"/orders/{order_id}")
    assert owner.get(f"{ORDERS}/{order_id}").json()["id"] == order_id
    assert owner.get(f"{ORDERS}?sendersReference=orders-org-no").json()["count"] == 1
    status = until(owner, f"{ORDERS}/{order_id}/status", lambda s: "notificationsStatusSummary" in s)
    assert status["notificationsStatusSummary"]["email"]["generated"] > 0
    summary = owner.get(f"{ORDERS}/{order_id}/notifications/email/").json()
    assert summary["orderId"] == order_id
    [notification] = summary["notifications"]
    assert notification["recipient"]["organizationNumber"] == number
    assert notification["recipient"]["emailAddress"]


@pytest.mark.parametrize(("is_met", "status"), [("true", "Completed"), ("false", "SendConditionNotMet")])
def test_an_order_on_a_condition_goes_as_the_originals_own_tests_want_it(
    owner: httpx2.Client, is_met: str, status: str
) -> None:
    endpoint = f"{CONDITION}?conditionMet={is_met}&from=functional&tag=a%20b"
    placed = owner.post(
        f"{ORDERS}/email/", json=order({"emailAddress": "delivered@sandbox.test"}, conditionEndpoint=endpoint)
    )

    order_id = placed.json()["orderId"]
    assert "recipientLookup" not in placed.json()
    pending = ("Registered", "Processing")
    reached = until(
        owner, f"{ORDERS}/{order_id}/status", lambda s: s["processingStatus"]["status"] not in (*pending, "Processed")
    )
    assert reached["processingStatus"]["status"] == status
    assert reached["conditionEndpoint"] == endpoint


def test_everybody_in_the_sandbox_has_the_fate_that_is_documented(owner: httpx2.Client) -> None:
    numbers = [p.number for p in PERSONS.values() if p.lookup is Lookup.ANSWERED]
    recipients = [{"nationalIdentityNumber": number} for number in numbers]
    recipients += [{"organizationNumber": number} for number in ORGANIZATIONS]
    placed = owner.post(
        f"{ORDERS}/email", json=order(*recipients, resourceId="urn:altinn:resource:skjema", subject="$recipientName$")
    )

    order_id = placed.json()["orderId"]
    summary = until(owner, f"{ORDERS}/{order_id}/notifications/email", is_final)
    found: dict[str, list[str]] = {}
    for notification in summary["notifications"]:
        recipient = notification["recipient"]
        number = recipient.get("organizationNumber") or recipient["nationalIdentityNumber"]
        found.setdefault(number, []).append(notification["sendStatus"]["status"])
    documented = {number: list(PERSONS[number].send_statuses) for number in numbers}
    documented |= {number: list(organization.send_statuses) for number, organization in ORGANIZATIONS.items()}
    assert found == documented
    subjects = {mail["recipients"][0]: mail["subject"] for mail in owner.get("/sandbox/messages").json()}
    assert subjects["delivered+kari@sandbox.test"] == "Kari Nordmann"
    assert subjects["delivered+nameless@sandbox.test"] == "$recipientName$"


def test_a_register_that_falters_when_the_order_is_due_delays_it_and_doubles_nothing(
    service: Service, owner: httpx2.Client
) -> None:
    recipients = [{"nationalIdentityNumber": FALTERING}, {"emailAddress": "delivered@sandbox.test"}]
    placed = owner.post(f"{ORDERS}/email", json=order(*recipients))

    order_id = placed.json()["orderId"]
    status = until(owner, f"{ORDERS}/{order_id}/status", lambda s: s["processingStatus"]["status"] == "Processing")
    assert "notificationsStatusSummary" not in status
    summary = until(owner, f"{ORDERS}/{order_id}/notifications/email", is_final)
    assert [n["sendStatus"]["status"] for n in summary["notifications"]] == ["Delivered"] * 2
    assert service.log.count('"event": "order delayed"') == 1


def test_a_register_that_refuses_when_the_order_is_placed_leaves_no_order(owner: httpx2.Client) -> None:
    body = order({"nationalIdentityNumber": REFUSED}, sendersReference="refused")

    answer = owner.post(f"{ORDERS}/email", json=body)

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert owner.get(f"{ORDERS}?sendersReference=refused").json()["count"] == 0


def test_a_kill_while_the_register_is_asked_neither_drops_nor_doubles_the_order(service: Service) -> None:
    with service.owner() as client:
        placed = client.post(f"{ORDERS}/email", json=order({"nationalIdentityNumber": SLOW}))
        path = f"{ORDERS}/{placed.json()['orderId']}"
        until(client, f"{path}/status", lambda s: s["processingStatus"]["status"] == "Processing")

    service.kill()
    service.start()

    with service.owner() as client:
        summary = until(client, f"{path}/notifications/email", is_final)
    assert [n["sendStatus"]["status"] for n in summary["notifications"]] == ["Delivered"]
