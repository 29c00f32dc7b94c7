-- A repeated POST is answered like the first one; what an owner has used is counted.

CREATE TABLE idempotency_keys (
    owner       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,  -- SHA-256 of the request: the same key with another body is an error
    order_id    uuid        NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (owner, key)
);

-- serves forget_idempotency_keys
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
-- serves the foreign key
CREATE INDEX idempotency_keys_of_order ON idempotency_keys (order_id);

CREATE TABLE owner_usage (
    owner        text        NOT NULL,
    measure      text        NOT NULL,  -- "requests" or "recipients"
    window_start timestamptz NOT NULL,  -- the minute, or the day
    used         bigint      NOT NULL,

    PRIMARY KEY (owner, measure, window_start)
);
