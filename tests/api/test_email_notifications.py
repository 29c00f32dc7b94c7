"""The central endpoint: how each e-mail of an order stands."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, place
from tests.factories import notification_in, placed_order
from varsel.api.descriptions import SEND_STATUS
from varsel.database.connect import Pool
from varsel.notifications.find import PAGE
from varsel.notifications.send_status import SendStatus
from varsel.orders.generate import generate_next_due
from varsel.orders.order import Recipient

SINGULAR = ORDERS.removesuffix("s")
S = SendStatus

SHOWN: list[tuple[SendStatus, str, bool, str]] = [
    (S.NEW, "New", False, "The email has been created, but has not been picked up for processing yet."),
    (S.SENDING, "Sending", False, "The email is being processed and will be attempted sent shortly."),
    (
        S.SUCCEEDED,
        "Succeeded",
        True,
        "The email has been accepted by the third party email service and will be sent shortly.",
    ),
    (
        S.DELIVERED,
        "Delivered",
        True,
        "The email was delivered to the recipient. No errors reported, making it likely it was received by the"
        " recipient.",
    ),
    (S.FAILED, "Failed", False, "The email was not sent due to an unspecified failure."),
    (
        S.FAILED_RECIPIENT_RESERVED,
        "Failed_RecipientReserved",
        False,
        "The email was not sent because the recipient has reserved themselves from electronic communication.",
    ),
    (
        S.FAILED_RECIPIENT_NOT_IDENTIFIED,
        "Failed_RecipientNotIdentified",
        False,
        "The email was not sent because the recipient's email address was not found.",
    ),
    (
        S.FAILED_INVALID_EMAIL_FORMAT,
        "Failed_InvalidEmailFormat",
        False,
        "The email was not sent because the recipient\u2019s email address is in an invalid format.",
    ),
    (
        S.FAILED_SUPPRESSED_RECIPIENT,
        "Failed_SupressedRecipient",
        False,
        "The email was not sent because the recipient\u2019s email address is suppressed by the third party email"
        " service.",
    ),
    (
        S.FAILED_BOUNCED,
        "Failed_Bounced",
        False,
        "The email hard bounced, which may have happened because the email address does not exist or the domain is"
        " invalid.",
    ),
    (
        S.FAILED_FILTERED_SPAM,
        "Failed_FilteredSpam",
        False,
        "The email was identified as spam, and was rejected or blocked (not quarantined).",
    ),
    (
        S.FAILED_QUARANTINED,
        "Failed_Quarantined",
        False,
        "The email was quarantined (as spam, bulk mail, or phising).",
    ),
    (
        S.FAILED_TTL,
        "Failed",
        False,
        "The email was in indefinite state Succeeded for too long (TTL), and was subsequently set to failed.",
    ),
    (
        S.FAILED_INVALID_SAS_URL,
        "Failed_InvalidSasUrl",
        False,
        "The email was not sent because one or more attachment SAS URLs are invalid, expired, or inaccessible.",
    ),
    (
        S.FAILED_PAYLOAD_TOO_LARGE,
        "Failed_PayloadTooLarge",
        False,
        "The email was not sent because the total size of the attachments exceeds the allowed limit.",
    ),
]


def summary_path(order_id: object) -> str:
    return f"{ORDERS}/{order_id}/notifications/email"


@pytest.mark.parametrize(("send_status", "status", "succeeded", "description"), SHOWN, ids=[row[0] for row in SHOWN])
async def test_every_send_status_is_shown_in_the_contracts_words(
    client: httpx2.AsyncClient, pool: Pool, send_status: SendStatus, status: str, succeeded: bool, description: str
) -> None:
    order_id, notification_id = await notification_in(pool, send_status)
    at = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)
    await pool.execute("UPDATE notifications SET send_status_at = $1", at)

    answer = await client.get(summary_path(order_id))

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert answer.json() == {
        "orderId": str(order_id),
        "generated": 1,
        "succeeded": int(succeeded),
        "notifications": [
            {
                "id": str(notification_id),
                "succeeded": succeeded,
                "recipient": KARI,
                "sendStatus": {"status": status, "description": description, "lastUpdate": "2026-01-02T03:04:05.6789Z"},
            }
        ],
    }


def test_every_send_status_has_its_row_above() -> None:
    assert [row[0] for row in SHOWN] == list(SendStatus) == list(SEND_STATUS)


@pytest.mark.parametrize("status", ["Registered", "Processing", "SendConditionNotMet", "Cancelled"])
async def test_an_order_without_notifications_shows_zeros(client: httpx2.AsyncClient, pool: Pool, status: str) -> None:
    order_id = await place(client, requestedSendTime="2090-01-01T00:00:00Z", sendersReference="ref")
    await pool.execute("UPDATE orders SET status = $1", status)

    answer = await client.get(summary_path(order_id))

    assert answer.status_code == 200
    assert answer.json() == {
        "orderId": order_id,
        "sendersReference": "ref",
        "generated": 0,
        "succeeded": 0,
        "notifications": [],
    }


async def test_notifications_come_in_the_order_of_the_recipients_whatever_became_of_them(
    client: httpx2.AsyncClient, pool: Pool
) -> None:
    addresses = [f"{name}@sandbox.test" for name in ("kari", "ola", "anne", "per", "kari")]
    order_id = await place(client, recipients=[{"emailAddress": address} for address in addresses])
    await pool.execute(
        "UPDATE notifications SET send_status = 'Delivered', next_attempt_at = NULL WHERE recipient_address LIKE 'k%'"
    )

    summary = (await client.get(summary_path(order_id))).json()

    assert [n["recipient"]["emailAddress"] for n in summary["notifications"]] == addresses
    assert [n["succeeded"] for n in summary["notifications"]] == [True, False, False, False, True]
    assert (summary["generated"], summary["succeeded"]) == (5, 2)


async def test_a_recipient_that_was_not_identified_has_an_empty_address(client: httpx2.AsyncClient, pool: Pool) -> None:
    identities = [{"organizationNumber": "991825827"}, {"nationalIdentityNumber": "01018045678"}]
    order_id = await place(client, recipients=[*identities, KARI])
    await generate_next_due(pool)

    summary = (await client.get(summary_path(order_id))).json()

    assert [n["recipient"] for n in summary["notifications"]] == [
        {"emailAddress": "", "organizationNumber": "991825827"},
        {"emailAddress": "", "nationalIdentityNumber": "01018045678"},
        KARI,
    ]
    assert [n["sendStatus"]["status"] for n in summary["notifications"]] == [
        "Failed_RecipientNotIdentified",
        "Failed_RecipientNotIdentified",
        "New",
    ]


@pytest.mark.parametrize("reference", ["", " ", "   ", "\t", " \r\n", "\u00a0"])
async def test_a_blank_senders_reference_is_told_by_the_order_only(client: httpx2.AsyncClient, reference: str) -> None:
    order_id = await place(client, sendersReference=reference)

    summary = (await client.get(summary_path(order_id))).json()

    assert "sendersReference" not in summary
    assert (await client.get(f"{ORDERS}/{order_id}")).json()["sendersReference"] == reference


@pytest.mark.parametrize("reference", ["ref", " ref ", 'Å’"<&>\\', "\tref"])
async def test_a_senders_reference_is_told_to_the_character(client: httpx2.AsyncClient, reference: str) -> None:
    order_id = await place(client, sendersReference=reference)

    summary = (await client.get(summary_path(order_id))).json()

    assert summary["sendersReference"] == reference


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2_500])
async def test_an_order_of_any_size_is_complete_and_in_order(
    client: httpx2.AsyncClient, pool: Pool, count: int
) -> None:
    addresses = [f"kari+{number}@sandbox.test" for number in range(count)]
    order_id = await placed_order(pool, [Recipient(address) for address in addresses], senders_reference='r"1')
    await pool.execute(
        "UPDATE notifications SET send_status = 'Succeeded', next_attempt_at = NULL"
        " WHERE recipient_address LIKE '%7@sandbox.test'"
    )

    answer = await client.get(summary_path(order_id))

    summary = answer.json()
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert set(summary) == {"orderId", "sendersReference", "generated", "succeeded", "notifications"}
    assert (summary["orderId"], summary["sendersReference"]) == (str(order_id), 'r"1')
    assert [n["recipient"]["emailAddress"] for n in summary["notifications"]] == addresses
    assert len({UUID(n["id"]) for n in summary["notifications"]}) == count
    succeeded = sum(address.endswith("7@sandbox.test") for address in addresses)
    assert (summary["generated"], summary["succeeded"]) == (count, succeeded)
    assert sum(n["succeeded"] for n in summary["notifications"]) == succeeded


async def test_a_large_order_without_a_reference_leaves_it_out(client: httpx2.AsyncClient, pool: Pool) -> None:
    order_id = await placed_order(pool, [Recipient("kari@sandbox.test")] * PAGE)

    summary = (await client.get(summary_path(order_id))).json()

    assert (summary["generated"], "sendersReference" in summary) == (PAGE, False)


async def test_the_singular_path_of_older_documentation_answers_the_same(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, sendersReference="ref")

    singular = await client.get(f"{SINGULAR}/{order_id}/notifications/email")

    assert (singular.status_code, singular.json()) == (200, (await client.get(summary_path(order_id))).json())


@pytest.mark.parametrize("path", [f"{ORDERS}/%s/notifications/email", f"{ORDERS}/%s/notifications/sms"])
async def test_somebody_elses_notifications_are_as_unknown_as_none(
    client: httpx2.AsyncClient, pool: Pool, path: str
) -> None:
    for order_id in (await placed_order(pool, owner="nav"), uuid4()):
        answer = await client.get(path % order_id)

        assert (answer.status_code, answer.content) == (404, b"")


async def test_an_email_order_has_no_sms(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, sendersReference="ref")

    answer = await client.get(f"{ORDERS}/{order_id}/notifications/sms")

    assert answer.json() == {
        "orderId": order_id,
        "sendersReference": "ref",
        "generated": 0,
        "succeeded": 0,
        "notifications": [],
    }
