-- name: suppress_bounced
-- Of these notifications the addresses that do not exist. A renewed bounce counts from now; what is there for good
-- stays as it is. In order, so that of two who put the same addresses on the list one waits for the other.
INSERT INTO suppressed_addresses AS s (owner, address, reason, until, notification_id, detail)
SELECT DISTINCT ON (owner, lower(recipient_address))
       owner, lower(recipient_address), 'bounce', now() + $2::interval, id, status_detail
  FROM notifications
 WHERE id = ANY ($1::uuid[])
   AND send_status = 'Failed_Bounced'
 ORDER BY owner, lower(recipient_address)
ON CONFLICT (owner, address) DO UPDATE
   SET reason          = excluded.reason,
       since           = now(),
       until           = excluded.until,
       notification_id = excluded.notification_id,
       detail          = excluded.detail
 WHERE s.until IS NOT NULL;

-- name: suppress_complainant
-- For good, whatever was there before
INSERT INTO suppressed_addresses AS s (owner, address, reason, notification_id, detail)
SELECT owner, lower(recipient_address), 'complaint', id, $2
  FROM notifications
 WHERE id = $1
ON CONFLICT (owner, address) DO UPDATE
   SET reason          = excluded.reason,
       since           = now(),
       until           = NULL,
       notification_id = excluded.notification_id,
       detail          = excluded.detail
 WHERE s.until IS NOT NULL;

-- name: suppress_by_operator
INSERT INTO suppressed_addresses (owner, address, reason, detail)
VALUES ($1, lower($2), 'operator', $3)
ON CONFLICT (owner, address) DO UPDATE
   SET reason = excluded.reason,
       since  = now(),
       until  = NULL,
       detail = excluded.detail;

-- name: lift_suppression
DELETE FROM suppressed_addresses
 WHERE owner = $1
   AND address = lower($2)
RETURNING address;

-- name: suppressed_addresses
-- Those in force, of one owner or of all
SELECT owner, address, reason, since, until, notification_id, detail
  FROM suppressed_addresses
 WHERE ($1::text IS NULL OR owner = $1)
   AND (until IS NULL OR until > now())
 ORDER BY owner, address;

-- name: forget_suppressions
DELETE FROM suppressed_addresses
 WHERE until < now();
