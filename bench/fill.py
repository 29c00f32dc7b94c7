"""Orders and notifications as a service has them that ran for months: written by SQL, their ids computed from numbers.

Orders come in blocks of 1,000 with 4,996 notifications. By its position in the block an order has

    0            1,000 notifications
    1, 4, 7, …      10
    all others       1

Nothing waits to be sent. Most notifications are Delivered, some Succeeded, some Failed_….
"""

from dataclasses import dataclass

from bench.databases import Databases

BLOCK = 1_000  # orders
BLOCK_NOTIFICATIONS = 1_000 + 333 * 10 + 666
STEP = 20  # blocks a statement: a transaction of a few seconds
OWNER = "ttd"
ORDER_PREFIX = "01900000-0000-7000-8000-"  # version 7, made before any that the product makes; 12 digits follow
NOTIFICATION_PREFIX = "01900000-0000-7000-9000-"

ORDERS = f"""
INSERT INTO orders (id, owner, senders_reference, requested_send_time, created_at, status, status_at, channel,
                    recipients, from_address, subject, body, content_type)
SELECT ('{ORDER_PREFIX}' || lpad(n::text, 12, '0'))::uuid, '{OWNER}', 'sak-' || n, placed_at, placed_at,
       'Processed', placed_at, 'Email',
       (SELECT json_agg(json_build_object('email_address', 'person' || n * 1000 + k || '@innbygger.no'))
          FROM generate_series(0, size - 1) AS k),
       'noreply@etaten.no', 'Vedtak i saken din', repeat('Hei! Vedtaket ligger klart i innboksen din. ', 20), 'Plain'
  FROM (SELECT n, now() - interval '90 days' + n * interval '1 second' AS placed_at,
               CASE WHEN n % 1000 = 0 THEN 1000 WHEN n % 1000 % 3 = 1 THEN 10 ELSE 1 END AS size
          FROM generate_series({{first}}, {{last}}) AS n) AS placed
"""
NOTIFICATIONS = f"""
INSERT INTO notifications (order_id, id, recipient_address, send_status, send_status_at, status_detail, attempt,
                           expires_at, owner, is_bulk, status_rule, relay)
SELECT ('{ORDER_PREFIX}' || lpad(n::text, 12, '0'))::uuid,
       ('{NOTIFICATION_PREFIX}' || lpad((n * 1000 + k)::text, 12, '0'))::uuid,
       'person' || n * 1000 + k || '@innbygger.no',
       (CASE WHEN x < 85 THEN 'Delivered' WHEN x < 93 THEN 'Succeeded' WHEN x < 97 THEN 'Failed_Bounced'
             ELSE 'Failed' END)::send_status,
       placed_at + interval '3 seconds',
       '250 2.0.0 Ok: queued as 4d1R' || n || 'z' || k, 1, placed_at + interval '48 hours', '{OWNER}', size > 100,
       'dsn', 'relay.etaten.no:25'
  FROM (SELECT n, k, (n * 7 + k * 13) % 100 AS x, size, placed_at
          FROM (SELECT n, now() - interval '90 days' + n * interval '1 second' AS placed_at,
                       CASE WHEN n % 1000 = 0 THEN 1000 WHEN n % 1000 % 3 = 1 THEN 10 ELSE 1 END AS size
                  FROM generate_series({{first}}, {{last}}) AS n) AS placed,
               generate_series(0, size - 1) AS k) AS generated
"""
# The two steps that every notification has been through; the trigger writes them on updates only.
HISTORY = f"""
INSERT INTO send_status_history (order_id, notification_id, changed_at, send_status, attempt, status_detail, relay)
SELECT order_id, id, send_status_at - interval '1 second', step.send_status, attempt, status_detail, relay
  FROM notifications
 CROSS JOIN LATERAL (VALUES ('Sending'::send_status), (notifications.send_status)) AS step (send_status)
 WHERE order_id BETWEEN ('{ORDER_PREFIX}' || lpad({{first}}::text, 12, '0'))::uuid
                    AND ('{ORDER_PREFIX}' || lpad({{last}}::text, 12, '0'))::uuid
"""


@dataclass(frozen=True, slots=True)
class Pick:
    """Which orders a load picks at random: the first of the block, every `step`th of `count` from `start` on."""

    start: int
    step: int
    count: int


PICKS = {1: Pick(2, 3, 333), 10: Pick(1, 3, 333), 1_000: Pick(0, 1, 1)}
"""By the size of the orders."""


def order_id(number: int) -> str:
    """The id of the order with this number."""
    return f"{ORDER_PREFIX}{number:012}"


def fill(databases: Databases, name: str, blocks: int) -> None:
    """Make a database and fill it with so many blocks."""
    databases.create(name)
    for first in range(0, blocks, STEP):
        numbers = {"first": first * BLOCK, "last": min(first + STEP, blocks) * BLOCK - 1}
        databases.execute(name, *(sql.format(**numbers) for sql in (ORDERS, NOTIFICATIONS, HISTORY)))
    databases.execute(name, "VACUUM (ANALYZE)")
