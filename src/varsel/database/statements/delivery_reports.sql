-- name: store_report
-- Everything may come twice: the second time nothing is stored and nothing comes back.
INSERT INTO delivery_reports (notification_id, digest, content)
VALUES ($1, $2, $3)
ON CONFLICT ON CONSTRAINT a_report_is_stored_once DO NOTHING
RETURNING id;

-- name: reports_to_record
-- Stored, but the process ended before they had their effect.
SELECT id, notification_id, content
  FROM delivery_reports
 WHERE recorded_at IS NULL
   AND received_at < now() - $1::interval
 ORDER BY id
 LIMIT $2;

-- name: order_of_notification
SELECT order_id
  FROM notifications
 WHERE id = $1;

-- name: mark_recorded
UPDATE delivery_reports
   SET recorded_at = now(),
       outcome     = $2,
       rule        = $3
 WHERE id = $1;
