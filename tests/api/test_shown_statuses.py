"""Every send status in the contract's words, byte for byte: its spelling and its two kinds of apostrophe included."""

from datetime import UTC, datetime

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS
from tests.factories import notification_in
from varsel.api.descriptions import SEND_STATUS
from varsel.database.connect import Pool
from varsel.notifications.send_status import SendStatus

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


@pytest.mark.parametrize(("send_status", "status", "succeeded", "description"), SHOWN, ids=[row[0] for row in SHOWN])
async def test_every_send_status_is_shown_in_the_contracts_words(
    client: httpx2.AsyncClient, pool: Pool, send_status: SendStatus, status: str, succeeded: bool, description: str
) -> None:
    order_id, notification_id = await notification_in(pool, send_status)
    at = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)
    await pool.execute("UPDATE notifications SET send_status_at = $1", at)

    answer = await client.get(f"{ORDERS}/{order_id}/notifications/email")

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
