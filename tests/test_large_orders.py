"""An order of a hundred thousand: placed in one request, read in one answer."""

import json

import httpx2

from tests.api.bodies import ORDERS, email_body
from varsel.database.connect import Pool

MANY = 100_000


async def test_an_order_of_a_hundred_thousand_is_placed_and_read(client: httpx2.AsyncClient, pool: Pool) -> None:
    recipients = [{"emailAddress": f"kari+{number}@sandbox.test"} for number in range(MANY)]

    placed = await client.post(f"{ORDERS}/email", json=email_body(recipients=recipients), timeout=60)

    assert placed.status_code == 202
    assert await pool.fetchval("SELECT count(*) FROM notifications") == MANY
    summary = json.loads((await client.get(f"{placed.headers['location']}/notifications/email", timeout=60)).content)
    assert (summary["generated"], summary["succeeded"]) == (MANY, 0)
    assert [n["recipient"] for n in summary["notifications"]] == recipients
