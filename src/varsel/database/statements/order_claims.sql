-- A due order is claimed while its notifications are generated, which may mean asking others. Every statement that ends
-- a claim names it: the worker and the attempt. A claim that was lost meanwhile changes nothing.

-- name: claim_due_orders
-- Registered, Processing -> Processing. Only for a worker that is registered and not missing. The owners share the
-- claims evenly; those who have enough in its hand already wait. The first term of `owners` and each next one are one
-- index probe, so a backlog is not read through.
WITH RECURSIVE owners AS (
    (SELECT owner
       FROM orders
      WHERE status IN ('Registered', 'Processing')
        AND claimed_by IS NULL
      ORDER BY owner
      LIMIT 1)
     UNION ALL
    SELECT following.owner
      FROM owners AS o
     CROSS JOIN LATERAL (
           SELECT owner
             FROM orders
            WHERE status IN ('Registered', 'Processing')
              AND claimed_by IS NULL
              AND owner > o.owner
            ORDER BY owner
            LIMIT 1
           ) AS following
),
waiting AS (
    SELECT owner
      FROM owners
     WHERE owner <> ALL ($4::text[])
),
due AS (
    SELECT head.id
      FROM (SELECT owner FROM waiting ORDER BY random()) AS w
     CROSS JOIN LATERAL (
           SELECT id
             FROM orders
            WHERE status IN ('Registered', 'Processing')
              AND claimed_by IS NULL
              AND owner = w.owner
              AND coalesce(retry_at, requested_send_time) <= now()
              AND EXISTS (SELECT 1 FROM workers WHERE workers.id = $1 AND missing_since IS NULL)
            ORDER BY coalesce(retry_at, requested_send_time)
            LIMIT (SELECT greatest(1, $2::integer / greatest(1, count(*))) FROM waiting)
              FOR UPDATE SKIP LOCKED
           ) AS head
     LIMIT $2
)
UPDATE orders AS o
   SET status        = 'Processing',
       claimed_by    = $1,
       claimed_until = now() + $3::interval,
       attempt       = o.attempt + 1,
       retry_at      = NULL
  FROM due
 WHERE o.id = due.id
-- is_large: by its size as stored, which ten thousand recipients have
RETURNING o.id, o.owner, o.attempt, o.requested_send_time, o.ignore_reservation, o.resource_id, o.resource_action,
          o.condition_endpoint, o.condition_unanswered,
          pg_column_size(o.recipients) > 65536 AS is_large;

-- name: mark_processed
-- Processing -> Processed, in the transaction that generates the notifications
UPDATE orders
   SET status        = 'Processed',
       status_at     = now(),
       claimed_by    = NULL,
       claimed_until = NULL
 WHERE id = $1
   AND status = 'Processing'
   AND claimed_by = $2
   AND attempt = $3;

-- name: mark_condition_not_met
-- Processing -> SendConditionNotMet
UPDATE orders
   SET status        = 'SendConditionNotMet',
       status_at     = now(),
       claimed_by    = NULL,
       claimed_until = NULL
 WHERE id = $1
   AND status = 'Processing'
   AND claimed_by = $2
   AND attempt = $3;

-- name: postpone_order
-- Stays Processing, and is claimed again after the pause
UPDATE orders
   SET claimed_by           = NULL,
       claimed_until        = NULL,
       retry_at             = now() + $4::interval,
       condition_unanswered = $5
 WHERE id = $1
   AND status = 'Processing'
   AND claimed_by = $2
   AND attempt = $3;

-- name: release_orders_of_worker
-- Stays Processing: claimed for a worker that has it not in its hand, since it stops or never heard of the claim
UPDATE orders
   SET claimed_by    = NULL,
       claimed_until = NULL
 WHERE claimed_by = $1
   AND id <> ALL ($2::uuid[]);

-- name: release_lost_orders
-- Stays Processing: its worker is gone, or has held it for longer than the lease
UPDATE orders AS o
   SET claimed_by    = NULL,
       claimed_until = NULL
 WHERE o.claimed_by IS NOT NULL
   AND (o.claimed_until < now()
        OR NOT EXISTS (
           SELECT 1
             FROM workers AS w
            WHERE w.id = o.claimed_by
              AND (w.missing_since IS NULL OR w.missing_since > now() - $1::interval)
           ));
