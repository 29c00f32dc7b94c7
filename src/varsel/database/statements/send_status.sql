-- Every change of a send status. Each names in WHERE the status that it leaves and, for a worker's result, the
-- claim; the caller reads from the rows that come back what really changed.
--
-- in_doubt_since is set while an attempt's result is unknown. was_in_doubt outlives it, until the relay's 250 or a
-- report tells: where we ended in a failure of our own finding meanwhile, such evidence overrules it.

-- name: claim_notifications
-- New -> Sending. Only for a worker that is registered and not missing: one that was given up may not go on as if
-- nothing happened. The queues (an owner's large orders, and its others) share the claims evenly, so that nobody
-- waits behind somebody else's hundred thousand; the first term of `queues` and each next one are one index probe.
WITH RECURSIVE queues AS (
    (SELECT owner, is_bulk
       FROM notifications
      WHERE send_status = 'New'
      ORDER BY owner, is_bulk
      LIMIT 1)
     UNION ALL
    SELECT following.owner, following.is_bulk
      FROM queues AS q
     CROSS JOIN LATERAL (
           SELECT n.owner, n.is_bulk
             FROM notifications AS n
            WHERE n.send_status = 'New'
              AND (n.owner, n.is_bulk) > (q.owner, q.is_bulk)
            ORDER BY n.owner, n.is_bulk
            LIMIT 1
           ) AS following
),
due AS (
    SELECT head.order_id, head.id
      FROM (SELECT owner, is_bulk FROM queues ORDER BY random()) AS q
     CROSS JOIN LATERAL (
           SELECT n.order_id, n.id
             FROM notifications AS n
            WHERE n.send_status = 'New'
              AND n.owner = q.owner
              AND n.is_bulk = q.is_bulk
              AND n.next_attempt_at <= now()
              AND n.expires_at > now()
              AND EXISTS (SELECT 1 FROM workers WHERE workers.id = $1 AND missing_since IS NULL)
            ORDER BY n.next_attempt_at
            LIMIT (SELECT greatest(1, $2::integer / greatest(1, count(*))) FROM queues)
              FOR UPDATE SKIP LOCKED
           ) AS head
     LIMIT $2
),
claimed AS (
    UPDATE notifications AS n
       SET send_status     = 'Sending',
           send_status_at  = now(),
           attempt         = n.attempt + 1,
           status_detail   = NULL,
           status_rule     = NULL,
           relay           = NULL,
           next_attempt_at = NULL,
           claimed_by      = $1,
           claimed_until   = now() + $3::interval
      FROM due
     WHERE n.order_id = due.order_id
       AND n.id = due.id
    RETURNING n.order_id, n.id, n.owner, n.recipient_address, n.recipient_name, n.organization_number, n.attempt
)
SELECT c.order_id, c.id, c.recipient_address, c.recipient_name, c.organization_number, c.attempt,
       s.reason AS suppressed_for, s.since AS suppressed_since
  FROM claimed AS c
  LEFT JOIN suppressed_addresses AS s
    ON s.owner = c.owner
   AND s.address = lower(c.recipient_address)
   AND (s.until IS NULL OR s.until > now());

-- name: release_unheard
-- Sending -> New: claimed for a worker that never heard of it, because the connection was lost between the commit and
-- the answer. Nothing was handed over, so there is no doubt; what the worker has in hand is not touched.
UPDATE notifications
   SET send_status     = 'New',
       send_status_at  = now(),
       status_detail   = 'the claim did not reach its worker',
       next_attempt_at = least(now(), expires_at),
       claimed_by      = NULL,
       claimed_until   = NULL
 WHERE send_status = 'Sending'
   AND claimed_by = $1
   AND in_doubt_since IS NULL
   AND id <> ALL ($2::uuid[])
RETURNING id;

-- name: mark_succeeded
-- New after the attempt, Sending -> Succeeded: the relay has taken responsibility. A 250 is true whoever holds the
-- claim by now, so it counts without one, and keeps a mail that was in doubt from being sent again.
UPDATE notifications AS n
   SET send_status     = 'Succeeded',
       send_status_at  = now(),
       status_detail   = result.detail,
       status_rule     = NULL,
       relay           = nullif(result.relay, ''),
       report_id       = NULL,
       report_due_at   = CASE
                             WHEN n.report_due_at = 'infinity' THEN n.report_due_at
                             WHEN result.reports_successes THEN greatest(n.expires_at, now()) + $7::interval
                         END,
       next_attempt_at = NULL,
       claimed_by      = NULL,
       claimed_until   = NULL,
       in_doubt_since  = NULL,
       was_in_doubt    = false
  FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::boolean[])
    AS result (order_id, id, attempt, detail, relay, reports_successes)
 WHERE n.order_id = result.order_id
   AND n.id = result.id
   AND n.attempt >= result.attempt
   AND (n.send_status IN ('New', 'Sending') OR n.was_in_doubt)
RETURNING n.id;

-- name: mark_deferred
-- Sending -> New: the relay said "later"; the attempt counts, and no pause reaches beyond the expiry
UPDATE notifications AS n
   SET send_status     = 'New',
       send_status_at  = now(),
       status_detail   = result.detail,
       status_rule     = NULL,
       relay           = nullif(result.relay, ''),
       next_attempt_at = least(now() + result.pause, n.expires_at),
       claimed_by      = NULL,
       claimed_until   = NULL,
       in_doubt_since  = NULL
  FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::interval[])
    AS result (order_id, id, attempt, detail, relay, pause)
 WHERE n.order_id = result.order_id
   AND n.id = result.id
   AND n.send_status = 'Sending'
   AND n.claimed_by = $1
   AND n.attempt = result.attempt
RETURNING n.id;

-- name: mark_rejected
-- Sending -> Failed…: the relay said "never", or the address is on its owner's suppression list
UPDATE notifications AS n
   SET send_status    = result.send_status::send_status,
       send_status_at = now(),
       status_detail  = result.detail,
       status_rule    = result.rule,
       relay          = nullif(result.relay, ''),
       claimed_by     = NULL,
       claimed_until  = NULL,
       in_doubt_since = NULL
  FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS result (order_id, id, attempt, detail, relay, send_status, rule)
 WHERE n.order_id = result.order_id
   AND n.id = result.id
   AND n.send_status = 'Sending'
   AND n.claimed_by = $1
   AND n.attempt = result.attempt
RETURNING n.id;

-- name: mark_in_doubt
-- Sending, now in doubt: the message was sent and no answer came. The claim is over, its name stays for the history.
UPDATE notifications AS n
   SET status_detail  = result.detail,
       status_rule    = NULL,
       relay          = nullif(result.relay, ''),
       claimed_until  = now(),
       in_doubt_since = now(),
       was_in_doubt   = true
  FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[])
    AS result (order_id, id, attempt, detail, relay)
 WHERE n.order_id = result.order_id
   AND n.id = result.id
   AND n.send_status = 'Sending'
   AND n.claimed_by = $1
   AND n.attempt = result.attempt
RETURNING n.id;

-- name: mark_lost_in_doubt
-- Sending, now in doubt: the worker has been missing for so long, or the lease ran out, with no result recorded
WITH lost AS (
    SELECT n.order_id, n.id
      FROM notifications AS n
      LEFT JOIN workers AS w
        ON w.id = n.claimed_by
     WHERE n.send_status = 'Sending'
       AND n.in_doubt_since IS NULL
       AND (w.id IS NULL OR w.missing_since < now() - $1::interval OR n.claimed_until < now())
     LIMIT $2
       FOR UPDATE OF n SKIP LOCKED
)
UPDATE notifications AS n
   SET status_detail  = 'no result was recorded for the attempt',
       status_rule    = NULL,
       relay          = NULL,
       in_doubt_since = now(),
       was_in_doubt   = true
  FROM lost
 WHERE n.order_id = lost.order_id
   AND n.id = lost.id
RETURNING n.id;

-- name: resend_in_doubt
-- Sending, in doubt -> New: no evidence came in time. The attempt stands, and the next carries the same Message-ID.
-- A worker that is back before its lease ran out may still have the mail in flight, so its result is waited for.
WITH unresolved AS (
    SELECT n.order_id, n.id
      FROM notifications AS n
     WHERE n.send_status = 'Sending'
       AND n.in_doubt_since <= now() - $1::interval
       AND (
           n.claimed_until <= now()
           OR NOT EXISTS (SELECT 1 FROM workers AS w WHERE w.id = n.claimed_by AND w.missing_since IS NULL)
       )
     LIMIT $2
       FOR UPDATE OF n SKIP LOCKED
)
UPDATE notifications AS n
   SET send_status     = 'New',
       send_status_at  = now(),
       status_detail   = 'no evidence came: it is sent again',
       relay           = NULL,
       next_attempt_at = least(now(), n.expires_at),
       claimed_by      = NULL,
       claimed_until   = NULL,
       in_doubt_since  = NULL
  FROM unresolved
 WHERE n.order_id = unresolved.order_id
   AND n.id = unresolved.id
RETURNING n.id;

-- name: fail_in_doubt
-- Sending, in doubt -> Failed, where the operator would rather lose a mail than send it twice. It stays a guess:
-- evidence that comes later overrules it.
WITH unresolved AS (
    SELECT n.order_id, n.id
      FROM notifications AS n
     WHERE n.send_status = 'Sending'
       AND n.in_doubt_since <= now() - $1::interval
       AND (
           n.claimed_until <= now()
           OR NOT EXISTS (SELECT 1 FROM workers AS w WHERE w.id = n.claimed_by AND w.missing_since IS NULL)
       )
     LIMIT $2
       FOR UPDATE OF n SKIP LOCKED
)
UPDATE notifications AS n
   SET send_status    = 'Failed',
       send_status_at = now(),
       status_detail  = 'no evidence came: it is not sent again',
       relay          = NULL,
       claimed_by     = NULL,
       claimed_until  = NULL,
       in_doubt_since = NULL
  FROM unresolved
 WHERE n.order_id = unresolved.order_id
   AND n.id = unresolved.id
RETURNING n.id;

-- name: mark_delivered
-- New after an attempt, Sending, Succeeded -> Delivered, by a report. A report may come before our own commit of
-- the relay's answer, or settle what is in doubt; both times it is the better evidence.
UPDATE notifications AS n
   SET send_status     = 'Delivered',
       send_status_at  = now(),
       status_detail   = evidence.detail,
       status_rule     = evidence.rule,
       report_id       = evidence.report_id,
       report_due_at   = NULL,
       next_attempt_at = NULL,
       claimed_by      = NULL,
       claimed_until   = NULL,
       in_doubt_since  = NULL,
       was_in_doubt    = false
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[])
    AS evidence (order_id, id, detail, rule, report_id)
 WHERE n.order_id = evidence.order_id
   AND n.id = evidence.id
   AND n.attempt > 0
   AND (n.send_status IN ('New', 'Sending', 'Succeeded') OR n.was_in_doubt)
RETURNING n.id;

-- name: mark_bounced
-- New after an attempt, Sending, Succeeded, Delivered -> Failed…, by a report of final failure. It overrules
-- Delivered until the notification expires; later it is only recorded.
UPDATE notifications AS n
   SET send_status     = evidence.send_status::send_status,
       send_status_at  = now(),
       status_detail   = evidence.detail,
       status_rule     = evidence.rule,
       report_id       = evidence.report_id,
       report_due_at   = NULL,
       next_attempt_at = NULL,
       claimed_by      = NULL,
       claimed_until   = NULL,
       in_doubt_since  = NULL,
       was_in_doubt    = false
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[])
    AS evidence (order_id, id, detail, rule, report_id, send_status)
 WHERE n.order_id = evidence.order_id
   AND n.id = evidence.id
   AND n.attempt > 0
   AND (
       n.send_status IN ('New', 'Sending', 'Succeeded')
       OR n.was_in_doubt
       OR (n.send_status = 'Delivered' AND n.expires_at > now())
   )
RETURNING n.id;

-- name: expire_unsent
-- New -> Failed: the order expired before any relay took the mail; the last reply stays as the detail
WITH expired AS (
    SELECT order_id, id
      FROM notifications
     WHERE send_status = 'New'
       AND expires_at <= now()
     LIMIT $1
       FOR UPDATE SKIP LOCKED
)
UPDATE notifications AS n
   SET send_status     = 'Failed',
       send_status_at  = now(),
       status_detail   = coalesce(n.status_detail, 'expired before it could be handed to a relay'),
       status_rule     = 'expired',
       next_attempt_at = NULL
  FROM expired
 WHERE n.order_id = expired.order_id
   AND n.id = expired.id
RETURNING n.id;

-- name: fail_unreported
-- Succeeded -> Failed_TTL: the relay is said to report every delivery, and has not in time
WITH unreported AS (
    SELECT order_id, id
      FROM notifications
     WHERE send_status = 'Succeeded'
       AND report_due_at <= now()
     LIMIT $1
       FOR UPDATE SKIP LOCKED
)
UPDATE notifications AS n
   SET send_status    = 'Failed_TTL',
       send_status_at = now(),
       status_detail  = 'no report came in time',
       status_rule    = 'silence of a relay that reports successes',
       report_due_at  = NULL
  FROM unreported
 WHERE n.order_id = unreported.order_id
   AND n.id = unreported.id
RETURNING n.id;

-- name: expect_no_report
-- No change of status: what was relayed or expanded has left the servers that report, so silence means nothing.
-- It may come before our own commit of the 250, which then leaves it as it is.
UPDATE notifications AS n
   SET report_due_at = 'infinity'
  FROM unnest($1::uuid[], $2::uuid[]) AS evidence (order_id, id)
 WHERE n.order_id = evidence.order_id
   AND n.id = evidence.id
   AND n.send_status IN ('New', 'Sending', 'Succeeded');
