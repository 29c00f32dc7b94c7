"""An order as an operator wants to read it: what was asked, and every step of every notification."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

import asyncpg

from varsel.database.connect import Pool
from varsel.database.statements import statements

SQL = statements("notifications")


async def show_order(pool: Pool, order_id: UUID) -> str | None:
    """The order as text; None where there is none."""
    order = await pool.fetchrow(SQL["order_for_operator"], order_id)
    if order is None:
        return None
    steps = await pool.fetch(SQL["steps_of_order"], order_id)
    is_processing = order["status"] == "Processing"
    # A claim does not move status_at, so of an order in process it is when it was placed.
    since = "" if is_processing else f" since {_clock(order['status_at'])}"
    lines = [
        f"Order {order['id']} of {order['owner']}, {order['channel']}, {order['status']}{since}",
        f"  placed {_clock(order['created_at'])}, to be sent {_clock(order['requested_send_time'])}"
        + (f", sender's reference {order['senders_reference']}" if order["senders_reference"] else ""),
    ]
    if is_processing:
        lines.append(_processing(order))
    for _, rows in groupby(steps, key=lambda row: row["id"]):
        lines += _notification(list(rows))
    return "\n".join(lines)


def _notification(rows: Sequence[asyncpg.Record]) -> list[str]:
    first = rows[0]
    recipient = " ".join(filter(None, (first["recipient_address"] or "(no address)", first["identity"])))
    lines = ["", f"{recipient}   {first['last_status']}   {first['id']}"]
    lines += [_step(row) for row in rows if row["at"] is not None]
    if first["next_attempt_at"] is not None:
        lines.append(f"  {_clock(first['next_attempt_at'])}  next attempt is due")
    return lines


def _processing(order: asyncpg.Record) -> str:
    """In whose hand an order is that has no notifications yet, or when it is tried again; why is in the log."""
    where = f"in hand of worker {order['claimed_by']}" if order["claimed_by"] is not None else "waits"
    again = f", tried again {_clock(order['retry_at'])}" if order["retry_at"] is not None else ""
    why = ", its send condition was left unanswered" if order["condition_unanswered"] else ""
    return f"  attempt {order['attempt']}: {where}{again}{why}"


def _step(row: asyncpg.Record) -> str:
    """One step on one line: when, what, because of whom, by which rule, in which words."""
    if row["send_status"] is None:
        what, because = "", f"report {row['report_id']} came"
    else:
        what = f"{row['send_status']}{', in doubt' if row['in_doubt'] else ''}"
        because = f"report {row['report_id']}" if row["report_id"] else f"attempt {row['attempt']}"
    told = [f"by {row['relay']}"] if row["relay"] and not row["report_id"] else []
    told += [f"({row['rule']})"] if row["rule"] else []
    told += [" ".join(row["detail"].split())] if row["detail"] else []
    return f"  {_clock(row['at'])}  {because:<16}  {what:<20}  {'  '.join(told)}".rstrip()


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
