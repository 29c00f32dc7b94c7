-- name: senders_reference_of_order
-- One row, or none where the owner has no such order.
SELECT senders_reference
  FROM orders
 WHERE id = $1
   AND owner = $2;

-- name: notifications_of_order
-- A page in the order of the recipients, after the given id.
SELECT id, recipient_address, organization_number, national_identity_number, send_status, send_status_at
  FROM notifications
 WHERE order_id = $1
   AND id > $2
 ORDER BY id
 LIMIT $3;

-- name: content_of_order
SELECT created_at, from_address, subject, body, content_type
  FROM orders
 WHERE id = $1;

-- name: steps_of_order
-- What an operator reads: every step of every notification, and the reports about it that moved no status. A
-- notification without either still has one row.
SELECT n.id, n.recipient_address, n.send_status AS last_status, n.next_attempt_at,
       step.at, step.send_status, step.attempt, step.relay, step.detail, step.rule, step.report_id, step.in_doubt
  FROM notifications AS n
  LEFT JOIN LATERAL (
       SELECT h.changed_at AS at, h.send_status::text AS send_status, h.attempt, h.relay,
              h.status_detail AS detail, h.status_rule AS rule, h.report_id, h.in_doubt
         FROM send_status_history AS h
        WHERE h.order_id = n.order_id
          AND h.notification_id = n.id
        UNION ALL
       SELECT r.received_at, NULL, NULL, NULL, r.detail, coalesce(r.rule, 'not read yet'), r.id, false
         FROM delivery_reports AS r
        WHERE r.order_id = n.order_id
          AND r.notification_id = n.id
          AND NOT EXISTS (SELECT 1 FROM send_status_history AS h WHERE h.order_id = n.order_id AND h.report_id = r.id)
       ) AS step
    ON true
 WHERE n.order_id = $1
 ORDER BY n.id, step.at, step.attempt NULLS FIRST;

-- name: order_for_operator
SELECT id, owner, senders_reference, requested_send_time, created_at, status, status_at, channel, subject
  FROM orders
 WHERE id = $1;
