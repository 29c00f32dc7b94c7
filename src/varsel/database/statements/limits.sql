-- name: use
-- Counts before it compares, so that requests at the same time are all seen; a refusal in a transaction is undone
-- with it.
INSERT INTO owner_usage AS u (owner, measure, window_start, used)
VALUES ($1, $2, date_trunc($3, now(), 'UTC'), $4)
ON CONFLICT (owner, measure, window_start) DO UPDATE
   SET used = u.used + excluded.used
RETURNING used, window_start + ('1 ' || $3)::interval - now() AS retry_after;

-- name: forget_usage
DELETE FROM owner_usage
 WHERE window_start < now() - interval '2 days';
