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
-- What an operator reads: every step of every notification, its creation first.
SELECT n.id, n.recipient_address, n.send_status AS last_status, n.next_attempt_at,
       h.changed_at, h.send_status, h.attempt, h.status_detail
  FROM notifications AS n
  LEFT JOIN send_status_history AS h
    ON h.order_id = n.order_id
   AND h.notification_id = n.id
 WHERE n.order_id = $1
 ORDER BY n.id, h.changed_at, h.attempt;

-- name: order_for_operator
SELECT id, owner, senders_reference, requested_send_time, created_at, status, status_at, channel, subject
  FROM orders
 WHERE id = $1;
