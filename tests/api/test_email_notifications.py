"""The central endpoint: how each e-mail of an order stands."""

from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, place
from tests.factories import placed_order
from varsel.database.connect import Pool
from varsel.notifications.find import PAGE
from varsel.orders.generate import generate_next_due
from varsel.orders.order import Recipient

SINGULAR = ORDERS.removesuffix("s")


def summary_path(order_id: object) -> str:
    return f"{ORDERS}/{order_id}/notifications/email"


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
