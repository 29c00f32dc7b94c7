-- name: place_orders
-- -> Registered, or at once Processed where its notifications are generated in the same transaction: here, for
-- orders of at most 100 recipients who all have addresses. One statement, so that orders placed together cost one
-- commit; as JSON, because eighteen arrays cost the driver more than all else that placing an order costs us.
WITH placed AS (
    INSERT INTO orders (
        id, owner, senders_reference, requested_send_time, status, channel,
        ignore_reservation, resource_id, resource_action, condition_endpoint,
        recipients, from_address, subject, body, content_type
    )
    SELECT id, owner, senders_reference, requested_send_time, status, channel,
           ignore_reservation, resource_id, resource_action, condition_endpoint,
           recipients, from_address, subject, body, content_type
      FROM json_to_recordset($1::json) AS wanted (
               id uuid, owner text, senders_reference text, requested_send_time timestamptz,
               status order_status, channel notification_channel,
               ignore_reservation boolean, resource_id text, resource_action text, condition_endpoint text,
               recipients json, from_address text, subject text, body text, content_type content_type
           )
    RETURNING id, owner, requested_send_time
)
INSERT INTO notifications (order_id, owner, id, recipient_address, send_status, expires_at, next_attempt_at)
SELECT p.id, p.owner, n.id, n.recipient_address, 'New', p.requested_send_time + $3::interval, now()
  FROM json_to_recordset($2::json) AS n (order_id uuid, id uuid, recipient_address text)
  JOIN placed AS p
    ON p.id = n.order_id;

-- name: generate_notifications
-- One row an addressee. A row that has failed before it began (no address was found) is never due.
INSERT INTO notifications (
    order_id, owner, is_bulk, id, recipient_address, organization_number, national_identity_number, recipient_name,
    send_status, expires_at, next_attempt_at
)
SELECT $1, $2, $3, id, recipient_address, organization_number, national_identity_number, recipient_name,
       send_status::send_status, $4,
       CASE WHEN send_status = 'New' THEN now() END
  FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
    AS generated (id, recipient_address, organization_number, national_identity_number, recipient_name, send_status);

-- name: cancel_order
-- Registered -> Cancelled, while the send time is more than the given notice away
UPDATE orders
   SET status    = 'Cancelled',
       status_at = now()
 WHERE id = $1
   AND owner = $2
   AND status = 'Registered'
   AND requested_send_time > now() + $3::interval;

-- name: order_to_generate
-- What generating an order needs beside its claim.
SELECT recipients,
       EXISTS (SELECT 1
                 FROM unnest($2::text[]) AS keyword
                WHERE strpos(subject, keyword) > 0
                   OR strpos(body, keyword) > 0) AS has_keywords
  FROM orders
 WHERE id = $1;

-- name: order_by_id
SELECT id, owner, senders_reference, requested_send_time, created_at, channel,
       ignore_reservation, resource_id, resource_action, condition_endpoint,
       recipients, from_address, subject, body, content_type
  FROM orders
 WHERE id = $1
   AND owner = $2;

-- name: orders_by_senders_reference
SELECT id, owner, senders_reference, requested_send_time, created_at, channel,
       ignore_reservation, resource_id, resource_action, condition_endpoint,
       recipients, from_address, subject, body, content_type
  FROM orders
 WHERE owner = $1
   AND md5(senders_reference) = md5($2)
   AND senders_reference = $2
 ORDER BY id;

-- name: order_status
-- The order's status and the sums of its notifications. Pending is what may still change without being overruled.
SELECT o.id, o.owner, o.senders_reference, o.requested_send_time, o.created_at, o.channel,
       o.ignore_reservation, o.resource_id, o.resource_action, o.condition_endpoint,
       o.status, o.status_at, n.generated, n.succeeded, n.pending, n.last_change_at
  FROM orders AS o
 CROSS JOIN LATERAL (
       SELECT count(*)                                                            AS generated,
              count(*) FILTER (WHERE send_status IN ('Succeeded', 'Delivered'))      AS succeeded,
              count(*) FILTER (WHERE send_status IN ('New', 'Sending', 'Succeeded')) AS pending,
              max(send_status_at)                                                 AS last_change_at
         FROM notifications
        WHERE order_id = o.id
       ) AS n
 WHERE o.id = $1
   AND o.owner = $2;
