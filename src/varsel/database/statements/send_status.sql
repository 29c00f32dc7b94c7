-- Every change of a send status. Each names in WHERE the status that it leaves and, for a worker's result, the
-- claim; the caller reads from the rows that come back what really changed.

-- name: claim_notifications
-- New -> Sending. Only for a worker that is registered: one that was given up may not go on as if nothing happened.
WITH due AS (
    SELECT order_id, id
      FROM notifications
     WHERE send_status = 'New'
       AND next_attempt_at <= now()
       AND expires_at > now()
       AND EXISTS (SELECT 1 FROM workers WHERE workers.id = $1)
     ORDER BY next_attempt_at
     LIMIT $2
       FOR UPDATE SKIP LOCKED
)
UPDATE notifications AS n
   SET send_status     = 'Sending',
       send_status_at  = now(),
       attempt         = n.attempt + 1,
       next_attempt_at = NULL,
       claimed_by      = $1,
       claimed_until   = now() + $3::interval
  FROM due
 WHERE n.order_id = due.order_id
   AND n.id = due.id
RETURNING n.order_id, n.id, n.recipient_address, n.attempt;

-- name: mark_succeeded
-- Sending -> Succeeded: the relay has taken responsibility
UPDATE notifications AS n
   SET send_status    = 'Succeeded',
       send_status_at = now(),
       status_detail  = result.detail,
       claimed_by     = NULL,
       claimed_until  = NULL
  FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::text[]) AS result (order_id, id, attempt, detail)
 WHERE n.order_id = result.order_id
   AND n.id = result.id
   AND n.send_status = 'Sending'
   AND n.claimed_by = $1
   AND n.attempt = result.attempt
RETURNING n.id;

-- name: mark_deferred
-- Sending -> New: the relay said "later"; the attempt counts, and no pause reaches beyond the expiry
UPDATE notifications AS n
   SET send_status     = 'New',
       send_status_at  = now(),
       status_detail   = result.detail,
       next_attempt_at = least(now() + result.pause, n.expires_at),
       claimed_by      = NULL,
       claimed_until   = NULL
  FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::interval[])
    AS result (order_id, id, attempt, detail, pause)
 WHERE n.order_id = result.order_id
   AND n.id = result.id
   AND n.send_status = 'Sending'
   AND n.claimed_by = $1
   AND n.attempt = result.attempt
RETURNING n.id;

-- name: mark_rejected
-- Sending -> Failed…: the relay said "never"
UPDATE notifications AS n
   SET send_status    = result.send_status::send_status,
       send_status_at = now(),
       status_detail  = result.detail,
       claimed_by     = NULL,
       claimed_until  = NULL
  FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[])
    AS result (order_id, id, attempt, detail, send_status)
 WHERE n.order_id = result.order_id
   AND n.id = result.id
   AND n.send_status = 'Sending'
   AND n.claimed_by = $1
   AND n.attempt = result.attempt
RETURNING n.id;

-- name: mark_delivered
-- New after an attempt, Sending, Succeeded -> Delivered, by a report. A report may come before our own commit of
-- the relay's answer, or after the claim was released; both times it is the better evidence.
UPDATE notifications
   SET send_status     = 'Delivered',
       send_status_at  = now(),
       status_detail   = $3,
       next_attempt_at = NULL,
       claimed_by      = NULL,
       claimed_until   = NULL
 WHERE order_id = $1
   AND id = $2
   AND attempt > 0
   AND send_status IN ('New', 'Sending', 'Succeeded')
RETURNING id;

-- name: mark_bounced
-- New after an attempt, Sending, Succeeded, Delivered -> Failed…, by a report of final failure. It overrules
-- Delivered until the notification expires; after that nothing awaits reports any more.
UPDATE notifications
   SET send_status     = $4::text::send_status,
       send_status_at  = now(),
       status_detail   = $3,
       next_attempt_at = NULL,
       claimed_by      = NULL,
       claimed_until   = NULL
 WHERE order_id = $1
   AND id = $2
   AND attempt > 0
   AND send_status IN ('New', 'Sending', 'Succeeded', 'Delivered')
   AND expires_at > now()
RETURNING id;

-- name: release_claims
-- Sending -> New: in doubt, because the worker was given up or the lease ran out with no result recorded.
-- The attempt stands: whatever the lost one achieved, the next carries the same Message-ID.
WITH in_doubt AS (
    SELECT n.order_id, n.id
      FROM notifications AS n
      LEFT JOIN workers AS w
        ON w.id = n.claimed_by
     WHERE n.send_status = 'Sending'
       AND (w.id IS NULL OR w.missing_since < now() - $1::interval OR n.claimed_until < now())
     LIMIT $2
       FOR UPDATE OF n SKIP LOCKED
)
UPDATE notifications AS n
   SET send_status     = 'New',
       send_status_at  = now(),
       status_detail   = 'in doubt: no result was recorded for the attempt',
       next_attempt_at = least(now(), n.expires_at),
       claimed_by      = NULL,
       claimed_until   = NULL
  FROM in_doubt
 WHERE n.order_id = in_doubt.order_id
   AND n.id = in_doubt.id
RETURNING n.id;

-- name: expire_unsent
-- New -> Failed: the order expired before any relay took the mail; the last reply stays as the detail
WITH expired AS (
    SELECT order_id, id
      FROM notifications
     WHERE send_status = 'New'
       AND next_attempt_at <= now()
       AND expires_at <= now()
     LIMIT $1
       FOR UPDATE SKIP LOCKED
)
UPDATE notifications AS n
   SET send_status     = 'Failed',
       send_status_at  = now(),
       status_detail   = coalesce(n.status_detail, 'expired before it could be handed to a relay'),
       next_attempt_at = NULL
  FROM expired
 WHERE n.order_id = expired.order_id
   AND n.id = expired.id
RETURNING n.id;
