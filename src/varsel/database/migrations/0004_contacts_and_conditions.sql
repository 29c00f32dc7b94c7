-- Recipients by identity, and orders on a condition: somebody else is asked before notifications are generated.

-- While others are asked no lock on the row is held, so an order is claimed: by a worker, for the length of a lease.
ALTER TABLE orders
    ADD COLUMN claimed_by           integer,                       -- the worker's number
    ADD COLUMN claimed_until        timestamptz,                   -- the lease: the net beneath the worker's lock
    ADD COLUMN attempt              integer NOT NULL DEFAULT 0,    -- how often it was claimed
    ADD COLUMN retry_at             timestamptz,                   -- when it is claimed again; absent: at the send time
    ADD COLUMN condition_unanswered boolean NOT NULL DEFAULT false, -- the send condition gave no answer last time
    -- Not validated, because that would read the whole table under its lock: no older row is claimed.
    ADD CONSTRAINT order_claimed_only_while_processing
        CHECK (claimed_by IS NULL OR (status = 'Processing' AND claimed_until IS NOT NULL)) NOT VALID;

-- serves claim_due_orders; orders_awaiting_send_time stays for the version before, which may still be running
CREATE INDEX orders_due ON orders (owner, (coalesce(retry_at, requested_send_time)))
    WHERE status IN ('Registered', 'Processing') AND claimed_by IS NULL;
-- serves release_lost_orders and release_orders_of_worker
CREATE INDEX orders_claimed ON orders (claimed_by)
    WHERE claimed_by IS NOT NULL;

ALTER TABLE notifications
    ADD COLUMN recipient_name text;                                -- for $recipientName$; absent: not known, or not used

-- The contact register that an operator fills.
CREATE TABLE contacts (
    identity        text        PRIMARY KEY,                       -- 11 digits: a person; 9: an organisation
    name            text,
    email_addresses text[]      NOT NULL DEFAULT '{}',
    mobile_numbers  text[]      NOT NULL DEFAULT '{}',             -- E.164
    is_reserved     boolean     NOT NULL DEFAULT false,
    changed_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT an_identity_is_a_person_or_an_organisation CHECK (identity ~ '^([0-9]{9}|[0-9]{11})$'),
    CONSTRAINT only_persons_are_reserved CHECK (NOT is_reserved OR length(identity) = 11),
    CONSTRAINT a_person_has_one_address_of_each_kind
        CHECK (length(identity) = 9 OR (cardinality(email_addresses) <= 1 AND cardinality(mobile_numbers) <= 1))
);
