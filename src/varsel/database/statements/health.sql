-- name: is_reachable
SELECT 1;
