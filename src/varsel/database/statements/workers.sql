-- name: register_worker
INSERT INTO workers DEFAULT VALUES
RETURNING id;

-- name: prove_alive
-- Session-level: PostgreSQL lets it go the moment the connection ends. False where another session has it.
SELECT pg_try_advisory_lock($1, $2);

-- name: is_registered
SELECT EXISTS (SELECT 1 FROM workers WHERE id = $1);

-- name: note_missing_workers
-- A lock that is gone is noted, a lock that is back is forgiven: a restart of the database frees all of them at
-- once, while the workers live and have mails in flight.
WITH seen AS (
    SELECT w.id, l.objid IS NULL AS is_missing
      FROM workers AS w
      LEFT JOIN pg_locks AS l
        ON l.locktype = 'advisory'
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.classid::bigint = $1
       AND l.objid::bigint = w.id
       AND l.objsubid = 2
       AND l.granted
)
UPDATE workers AS w
   SET missing_since = CASE WHEN seen.is_missing THEN now() END
  FROM seen
 WHERE w.id = seen.id
   AND seen.is_missing <> (w.missing_since IS NOT NULL);

-- name: forget_missing_workers
-- Only once nothing is claimed in their name any more.
DELETE FROM workers AS w
 WHERE w.missing_since < now() - $1::interval
   AND NOT EXISTS (
       SELECT 1
         FROM notifications AS n
        WHERE n.send_status = 'Sending'
          AND n.claimed_by = w.id
       );

-- name: unregister_worker
DELETE FROM workers AS w
 WHERE w.id = $1
   AND NOT EXISTS (
       SELECT 1
         FROM notifications AS n
        WHERE n.send_status = 'Sending'
          AND n.claimed_by = w.id
       );
