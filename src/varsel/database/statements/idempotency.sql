-- name: take_key
-- Held to the end of the transaction; false while another request with this key is being answered.
SELECT pg_try_advisory_xact_lock(hashtextextended($1 || chr(10) || $2, 0));

-- name: first_answer
SELECT fingerprint, order_id
  FROM idempotency_keys
 WHERE owner = $1
   AND key = $2;

-- name: keep_answer
INSERT INTO idempotency_keys (owner, key, fingerprint, order_id)
VALUES ($1, $2, $3, $4);

-- name: forget_idempotency_keys
DELETE FROM idempotency_keys
 WHERE created_at < now() - $1::interval;
