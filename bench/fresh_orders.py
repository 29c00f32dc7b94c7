"""Orders of one recipient beside the filled ones, written by SQL, and what became of them."""

import time
from datetime import datetime
from uuid import UUID

from bench.databases import Databases
from bench.fill import OWNER
from bench.unsound import Unsound
from bench.yardstick_sql import BODY, SUBJECT

SETTLE_LIMIT = 600.0  # seconds
LOOK = 0.05  # seconds

# After the filled ones; the series, then 12 digits. The order and its one notification have the same id.
ID = "('01910000-0000-7000-{series}-' || lpad(n::text, 12, '0'))::uuid"
ORDERS = f"""
INSERT INTO orders (id, owner, requested_send_time, status, channel, recipients, from_address, subject, body,
                    content_type)
SELECT {ID}, '{OWNER}', now(), 'Processed', 'Email',
       json_build_array(json_build_object('email_address', 'mottaker{{series}}' || n || '@innbygger.no')),
       'noreply@varsel.test', '{SUBJECT}', '{BODY}', 'Plain'
  FROM generate_series(1, {{count}}) AS n
"""
DUE = f"""
INSERT INTO notifications (order_id, id, recipient_address, send_status, expires_at, next_attempt_at, owner)
SELECT {ID}, {ID}, 'mottaker{{series}}' || n || '@innbygger.no', 'New', now() + interval '48 hours', now(), '{OWNER}'
  FROM generate_series(1, {{count}}) AS n
"""
SENT = f"""
INSERT INTO notifications (order_id, id, recipient_address, send_status, status_detail, attempt, relay, expires_at,
                           owner)
SELECT {ID}, {ID}, 'mottaker{{series}}' || n || '@innbygger.no', 'Succeeded', '250 2.0.0 Ok: queued as 4d1R' || n, 1,
       'relay.etaten.no:25', now() + interval '48 hours', '{OWNER}'
  FROM generate_series(1, {{count}}) AS n
"""
# By the two partial indexes: what is asked twenty times a second must not read through the table.
OPEN = """
SELECT EXISTS (SELECT 1 FROM notifications WHERE send_status = 'New' ORDER BY owner, is_bulk, next_attempt_at LIMIT 1)
    OR EXISTS (SELECT 1 FROM notifications WHERE send_status = 'Sending' ORDER BY claimed_by LIMIT 1)
"""
STEPS = """
SELECT min(changed_at) FILTER (WHERE send_status = 'Sending') AS begun_at,
       max(changed_at) FILTER (WHERE send_status = 'Succeeded') AS recorded_at,
       count(*) FILTER (WHERE send_status = 'Succeeded') AS recorded
  FROM send_status_history
 WHERE changed_at > $1
"""
STATUSES = "SELECT send_status, count(*) FROM notifications WHERE id BETWEEN $1 AND $2 GROUP BY send_status"


def place_due_orders(databases: Databases, name: str, series: int, count: int) -> None:
    """So many orders that wait to be sent."""
    _place(databases, name, DUE, series, count)


def place_sent_orders(databases: Databases, name: str, series: int, count: int) -> None:
    """So many orders that a relay has taken, and of which nobody has reported."""
    _place(databases, name, SENT, series, count)


def _place(databases: Databases, name: str, notifications: str, series: int, count: int) -> None:
    for statement in (ORDERS, notifications):
        databases.execute(name, statement.format(series=_digits(series), count=count))
    databases.execute(name, "ANALYZE orders", "ANALYZE notifications")


def notification_id(series: int, number: int) -> UUID:
    """Of the order with this number, from 1 on."""
    return UUID(f"01910000-0000-7000-{_digits(series)}-{number:012}")


def address_of(series: int, number: int) -> str:
    """The recipient of the order with this number."""
    return f"mottaker{_digits(series)}{number}@innbygger.no"


def _digits(series: int) -> str:
    return f"{0x8000 + series:x}"


def statuses_of(databases: Databases, name: str, series: int, count: int) -> dict[str, int]:
    """How many of a series have which send status."""
    first, last = notification_id(series, 1), notification_id(series, count)
    return dict(databases.fetch(name, STATUSES, first, last))


def wait_until_sent(databases: Databases, name: str) -> None:
    """Wait until nothing is New or Sending.

    Raises:
        Unsound: it takes too long.
    """
    deadline = time.monotonic() + SETTLE_LIMIT
    while databases.fetch(name, OPEN)[0][0]:
        if time.monotonic() > deadline:
            raise Unsound(f"not everything was sent after {SETTLE_LIMIT:.0f} s")
        time.sleep(LOOK)


def sent_since(databases: Databases, name: str, since: datetime, count: int) -> tuple[datetime, datetime]:
    """When the first notification was claimed, and when the last one was recorded as sent.

    Raises:
        Unsound: not all were.
    """
    [steps] = databases.fetch(name, STEPS, since)
    if steps["recorded"] != count:
        raise Unsound(f"{steps['recorded']} of {count} mails were sent")
    return steps["begun_at"], steps["recorded_at"]
