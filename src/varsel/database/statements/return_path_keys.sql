-- name: add_key_if_none
-- Made by migrate, under its lock; a second key is an operator's decision.
INSERT INTO return_path_keys (secret)
SELECT $1
 WHERE NOT EXISTS (SELECT 1 FROM return_path_keys);

-- name: keys_newest_first
SELECT secret
  FROM return_path_keys
 ORDER BY id DESC;
