"""The central endpoint: how each e-mail of an order stands."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx2
import msgspec
import pytest

from tests.api.bodies import KARI, ORDERS, place
from tests.factories import placed_notification, placed_order
from tests.processing import process_due
from varsel.api.descriptions import SEND_STATUS, shown_send_status
from varsel.api.wire import EmailSummary, NotificationView, RecipientView, StatusView, timestamp
from varsel.database.connect import Pool
from varsel.notifications.find import PAGE
from varsel.notifications.liveness import Worker
from varsel.notifications.send_status import SendStatus
from varsel.orders.order import Recipient
from varsel.orders.orders_in_hand import OrdersInHand

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


async def test_a_recipient_that_was_not_identified_has_an_empty_address(
    client: httpx2.AsyncClient, orders: OrdersInHand, worker: Worker
) -> None:
    identities = [{"organizationNumber": "991825827"}, {"nationalIdentityNumber": "01018045678"}]
    order_id = await place(client, recipients=[*identities, KARI])
    await process_due(orders, worker)

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


ADDRESSES = (
    "kari@sandbox.test",
    "",
    'k"a\\ri@sandbox.test',
    "kåri.ñ.😀@bücher.test",
    "<script>&'/@sandbox.test",
    "tab\tline\nfeed\x01\x1f\x7f\u2028@sandbox.test",
)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("status", SendStatus)
async def test_what_is_written_by_hand_is_what_the_wire_type_says(
    client: httpx2.AsyncClient, pool: Pool, status: SendStatus, address: str
) -> None:
    changed_at = datetime(2026, 11, 28, 9, 5, 7, microsecond=0 if status is SendStatus.NEW else 120_300, tzinfo=UTC)
    is_new, is_sending = status is SendStatus.NEW, status is SendStatus.SENDING
    order_id, notification_id = await placed_notification(
        pool,
        send_status=status,
        send_status_at=changed_at,
        recipient_address=address,
        organization_number="991825827",
        national_identity_number="01018045678",
        next_attempt_at=changed_at if is_new else None,
        claimed_by=1 if is_sending else None,
        claimed_until=changed_at if is_sending else None,
    )
    await pool.execute("UPDATE orders SET senders_reference = $1", address)

    answer = await client.get(summary_path(order_id))

    succeeded = status in ("Succeeded", "Delivered")
    view = NotificationView(
        str(notification_id),
        succeeded,
        RecipientView(address, None, "991825827", "01018045678"),
        StatusView(shown_send_status(status), SEND_STATUS[status], timestamp(changed_at)),
    )
    summary = EmailSummary(
        order_id=str(order_id),
        senders_reference=address or None,
        generated=1,
        succeeded=int(succeeded),
        notifications=[view],
    )
    assert msgspec.json.decode(answer.content) == msgspec.json.decode(msgspec.json.encode(summary))
    assert list(answer.json()) == list(msgspec.json.decode(msgspec.json.encode(summary)))


@pytest.mark.parametrize("beyond", [-1, 0, 1])
async def test_an_order_of_several_pages_reads_like_any_other(
    client: httpx2.AsyncClient, pool: Pool, beyond: int
) -> None:
    addresses = [f"kari+{number}@sandbox.test" for number in range(2 * PAGE + beyond)]
    order_id = await placed_order(pool, [Recipient(email_address=address) for address in addresses])
    await pool.execute("UPDATE notifications SET send_status = 'Delivered', next_attempt_at = NULL")

    summary = (await client.get(summary_path(order_id))).json()

    assert [n["recipient"]["emailAddress"] for n in summary["notifications"]] == addresses
    assert (summary["generated"], summary["succeeded"]) == (len(addresses), len(addresses))


async def test_many_that_ask_at_the_same_time_each_get_their_own_order(client: httpx2.AsyncClient) -> None:
    order_ids = [await place(client, sendersReference=f"reference {number}") for number in range(20)]
    unknown = [uuid4() for _ in range(5)]

    answers = await asyncio.gather(
        *(client.get(summary_path(order_id)) for order_id in [*order_ids, *unknown, *order_ids])
    )

    assert [answer.json()["orderId"] for answer in answers if answer.status_code == 200] == [*order_ids, *order_ids]
    assert [answer.status_code for answer in answers].count(404) == len(unknown)
