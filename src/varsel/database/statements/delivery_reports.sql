-- name: take_reports
-- Store reports, each about another mail, as what their transaction records. What comes back is new and its mail is
-- known; the others are taken alone. The mails are locked in the order of their ids before anything is done to them,
-- so that of two batches, or a batch and a sender's results, one waits for the other.
WITH mails AS MATERIALIZED (
    SELECT order_id, id
      FROM notifications
     WHERE id = ANY ($1::uuid[])
     ORDER BY id
       FOR NO KEY UPDATE
)
INSERT INTO delivery_reports (
       signed_for, digest, content, recorded_at, next_match_at,
       order_id, notification_id, matched_by, recipient, outcome, rule, detail
)
SELECT report.signed_for, report.digest, report.content, now(), NULL,
       mails.order_id, mails.id, 'return path', report.recipient, report.outcome, report.rule, report.detail
  FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS report (signed_for, digest, content, recipient, outcome, rule, detail)
  JOIN mails
    ON mails.id = report.signed_for
ON CONFLICT ON CONSTRAINT a_report_is_stored_once DO NOTHING
RETURNING id, order_id, notification_id;

-- name: store_report
-- Everything may come twice: the second time nothing is stored and nothing comes back. Whoever stores it records it
-- next; only when that has not happened for a while do others look at it.
INSERT INTO delivery_reports (signed_for, digest, content, next_match_at)
VALUES ($1, $2, $3, now() + $4::interval)
ON CONFLICT ON CONSTRAINT a_report_is_stored_once DO NOTHING
RETURNING id;

-- name: unrecorded_report
-- The same report, where it was stored before and has not had its effect
SELECT id
  FROM delivery_reports
 WHERE signed_for IS NOT DISTINCT FROM $1
   AND digest = $2
   AND recorded_at IS NULL;

-- name: reports_to_record
-- Left behind by a process that ended, or not matched yet and due to be tried again
SELECT id, signed_for, content
  FROM delivery_reports
 WHERE recorded_at IS NULL
   AND next_match_at <= now()
 ORDER BY next_match_at
 LIMIT $1;

-- name: mail_by_id
SELECT order_id, id
  FROM notifications
 WHERE id = $1;

-- name: last_notifications_to
-- What was handed over to this address since the given id; more than one would have to be guessed between.
SELECT order_id, id
  FROM notifications
 WHERE lower(recipient_address) = lower($1)
   AND id >= $2
   AND attempt > 0
 LIMIT 2;

-- name: mark_recorded
UPDATE delivery_reports
   SET recorded_at     = now(),
       next_match_at   = NULL,
       order_id        = $2,
       notification_id = $3,
       matched_by      = $4,
       recipient       = $5,
       outcome         = $6,
       rule            = $7,
       detail          = $8
 WHERE id = $1;

-- name: mark_unmatched
-- Matched again after as long as it has waited, at most an hour; after the given time only an operator looks at it.
UPDATE delivery_reports
   SET recipient     = $2,
       outcome       = $3,
       rule          = $4,
       detail        = $5,
       next_match_at = CASE
                           WHEN received_at > now() - $6::interval
                           THEN now() + least(greatest(now() - received_at, interval '5 seconds'), interval '1 hour')
                       END
 WHERE id = $1;

-- name: put_off
-- What cannot be recorded, whatever the reason, must not be at the head of every round.
UPDATE delivery_reports
   SET next_match_at = now() + interval '1 minute'
 WHERE id = $1;

-- name: unmatched_complaints
SELECT count(*)
  FROM delivery_reports
 WHERE recorded_at IS NULL
   AND signed_for IS NULL;

-- name: unmatched_reports
-- For operators: what waits for its mail, the latest first
SELECT id, received_at, signed_for, recipient, outcome, rule, detail, octet_length(content) AS size, next_match_at
  FROM delivery_reports
 WHERE recorded_at IS NULL
 ORDER BY id DESC
 LIMIT $1;

-- name: content_of_report
SELECT content
  FROM delivery_reports
 WHERE id = $1;
