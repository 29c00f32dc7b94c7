"""Orders that wait to be sent, written by SQL as the product writes them, and what became of them."""

import time
from datetime import datetime

from bench.databases import Databases
from bench.fill import OWNER
from bench.unsound import Unsound
from bench.yardstick_sql import BODY, SUBJECT

PREFIX = "01910000-0000-7000-{series}-"  # after the filled ones; then the series, then 12 digits
SETTLE_LIMIT = 600.0  # seconds
LOOK = 0.05  # seconds

ORDERS = f"""
INSERT INTO orders (id, owner, requested_send_time, status, channel, recipients, from_address, subject, body,
                    content_type)
SELECT ('{PREFIX}' || lpad(n::text, 12, '0'))::uuid, '{OWNER}', now(), 'Processed', 'Email',
       json_build_array(json_build_object('email_address', 'mottaker' || n || '@innbygger.no')),
       'noreply@varsel.test', '{SUBJECT}', '{BODY}', 'Plain'
  FROM generate_series(1, {{count}}) AS n
"""
NOTIFICATIONS = f"""
INSERT INTO notifications (order_id, id, recipient_address, send_status, expires_at, next_attempt_at, owner)
SELECT ('{PREFIX}' || lpad(n::text, 12, '0'))::uuid, ('{PREFIX}' || lpad(n::text, 12, '0'))::uuid,
       'mottaker' || n || '@innbygger.no', 'New', now() + interval '48 hours', now(), '{OWNER}'
  FROM generate_series(1, {{count}}) AS n
"""
OPEN = "SELECT EXISTS (SELECT 1 FROM notifications WHERE send_status IN ('New', 'Sending'))"
STEPS = """
SELECT min(changed_at) FILTER (WHERE send_status = 'Sending') AS begun_at,
       max(changed_at) FILTER (WHERE send_status = 'Succeeded') AS recorded_at,
       count(*) FILTER (WHERE send_status = 'Succeeded') AS recorded
  FROM send_status_history
 WHERE changed_at > $1
"""


def place_due_orders(databases: Databases, name: str, series: int, count: int) -> None:
    """So many orders of one recipient, all due now."""
    digits = f"{0x8000 + series:x}"
    for statement in (ORDERS, NOTIFICATIONS):
        databases.execute(name, statement.format(series=digits, count=count))
    databases.execute(name, "ANALYZE orders", "ANALYZE notifications")


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
