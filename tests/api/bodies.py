"""Order bodies with defaults that are valid, and what an answer to one holds."""

from typing import Any

import httpx2

from tests.factories import BODY, SUBJECT

ORDERS = "/notifications/api/v1/orders"
KARI = {"emailAddress": "kari@sandbox.test"}
UNKNOWN = "01a20738-aeb6-73aa-83ec-60b221ca6898"  # the id of no order
PROBLEM = "One or more validation errors occurred."


def email_body(**changes: Any) -> dict[str, Any]:
    """A body of `POST /orders/email`, due at once."""
    return {"subject": SUBJECT, "body": BODY, "recipients": [KARI]} | changes


def order_body(**changes: Any) -> dict[str, Any]:
    """A body of `POST /orders`, due at once."""
    template = {"subject": SUBJECT, "body": BODY}
    return {"notificationChannel": "Email", "emailTemplate": template, "recipients": [KARI]} | changes


async def place(client: httpx2.AsyncClient, **changes: Any) -> str:
    """The id of an order that was placed by `POST /orders/email`."""
    answer = await client.post(f"{ORDERS}/email", json=email_body(**changes))
    assert answer.status_code == 202, answer.text
    order_id: str = answer.json()["orderId"]
    return order_id


def reasons_in(answer: httpx2.Response) -> dict[str, list[str]]:
    """The messages by key of a 400."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["title"] == PROBLEM
    reasons: dict[str, list[str]] = answer.json()["errors"]
    return reasons
