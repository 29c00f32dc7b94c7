-- Orders, their notifications, and what becomes of each.

CREATE TYPE order_status AS ENUM (
    'Registered', 'Processing', 'Processed', 'SendConditionNotMet', 'Cancelled'
);

CREATE TYPE notification_channel AS ENUM (
    'Email', 'Sms', 'EmailPreferred', 'SmsPreferred', 'EmailAndSms'
);

CREATE TYPE content_type AS ENUM ('Plain', 'Html');

CREATE TYPE send_status AS ENUM (
    'New', 'Sending', 'Succeeded', 'Delivered', 'Failed',
    'Failed_RecipientReserved', 'Failed_RecipientNotIdentified', 'Failed_InvalidEmailFormat',
    'Failed_SupressedRecipient', 'Failed_Bounced', 'Failed_FilteredSpam', 'Failed_Quarantined',
    'Failed_TTL', 'Failed_InvalidSasUrl', 'Failed_PayloadTooLarge'
);

CREATE TABLE orders (
    id                  uuid                 PRIMARY KEY,  -- UUIDv7, made by the program
    owner               text                 NOT NULL,     -- the service owner's short name, from its credential
    senders_reference   text,
    requested_send_time timestamptz          NOT NULL,
    created_at          timestamptz          NOT NULL DEFAULT now(),
    status              order_status         NOT NULL,     -- "Completed" is derived: no notification is pending
    status_at           timestamptz          NOT NULL DEFAULT now(),
    channel             notification_channel NOT NULL,
    ignore_reservation  boolean,
    resource_id         text,
    resource_action     text,
    condition_endpoint  text,
    recipients          json                 NOT NULL,     -- as the owner sent them
    from_address        text,
    subject             text,
    body                text,
    content_type        content_type
);

-- serves orders_by_senders_reference; a digest, because a reference has no limit and an index entry has
CREATE INDEX orders_by_senders_reference ON orders (owner, md5(senders_reference))
    WHERE senders_reference IS NOT NULL;
-- serves next_due_order
CREATE INDEX orders_awaiting_send_time ON orders (requested_send_time)
    WHERE status = 'Registered';

-- A worker lives exactly as long as it holds the advisory lock of its number.
CREATE TABLE workers (
    id            integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    registered_at timestamptz NOT NULL DEFAULT now(),
    missing_since timestamptz                              -- since when its lock has been seen missing
);

-- The row is the job: there is no queue beside it. No foreign key to workers: a claim outlives its worker's row
-- for the moment in which it is released.
CREATE TABLE notifications (
    order_id                 uuid        NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    id                       uuid        NOT NULL,         -- UUIDv7, ascending in the order of the recipients
    recipient_address        text        NOT NULL,         -- '' where none was found
    organization_number      text,
    national_identity_number text,
    send_status              send_status NOT NULL,
    send_status_at           timestamptz NOT NULL DEFAULT now(),
    status_detail            text,                         -- the other side's own words
    attempt                  integer     NOT NULL DEFAULT 0,
    expires_at               timestamptz NOT NULL,
    next_attempt_at          timestamptz,                  -- never later than expires_at
    claimed_by               integer,                      -- the worker's number
    claimed_until            timestamptz,                  -- the lease: the net beneath the worker's lock

    PRIMARY KEY (order_id, id),
    CONSTRAINT claimed_exactly_while_sending
        CHECK ((send_status = 'Sending') = (claimed_by IS NOT NULL AND claimed_until IS NOT NULL)),
    CONSTRAINT due_exactly_while_new
        CHECK ((send_status = 'New') = (next_attempt_at IS NOT NULL))
);

-- serves order_of_notification: a return path carries only the notification's id
CREATE INDEX notifications_by_id ON notifications (id);
-- serves claim_notifications and expire_unsent
CREATE INDEX notifications_due ON notifications (next_attempt_at)
    WHERE send_status = 'New';
-- serves release_claims
CREATE INDEX notifications_claimed ON notifications (claimed_by)
    WHERE send_status = 'Sending';

-- Every step after a notification's creation; its creation is the first step and needs no row here.
CREATE TABLE send_status_history (
    order_id        uuid        NOT NULL,
    notification_id uuid        NOT NULL,
    changed_at      timestamptz NOT NULL,
    send_status     send_status NOT NULL,
    attempt         integer     NOT NULL,
    status_detail   text
);

-- serves steps_of_order
CREATE INDEX send_status_history_of_order ON send_status_history (order_id, notification_id, changed_at);

CREATE FUNCTION keep_send_status_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO send_status_history (order_id, notification_id, changed_at, send_status, attempt, status_detail)
    VALUES (NEW.order_id, NEW.id, NEW.send_status_at, NEW.send_status, NEW.attempt, NEW.status_detail);
    RETURN NULL;
END
$$;

-- A trigger, so that no path can forget it; on updates only, because on inserts it would halve their rate.
CREATE TRIGGER send_status_is_kept_in_history
    AFTER UPDATE ON notifications
    FOR EACH ROW WHEN (OLD.send_status IS DISTINCT FROM NEW.send_status)
    EXECUTE FUNCTION keep_send_status_history();

-- What other mail servers told us, kept as it came.
CREATE TABLE delivery_reports (
    id              bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    notification_id uuid        NOT NULL,                  -- from the signed return path
    received_at     timestamptz NOT NULL DEFAULT now(),
    digest          bytea       NOT NULL,                  -- SHA-256 of content: a repeat is no second report
    content         bytea       NOT NULL,
    recorded_at     timestamptz,                           -- when it was classified and had its effect
    outcome         text,                                  -- what it was taken for: a send status, or "none"
    rule            text,                                  -- the rule that said so

    CONSTRAINT a_report_is_stored_once UNIQUE (notification_id, digest)
);

-- serves reports_to_record
CREATE INDEX delivery_reports_to_record ON delivery_reports (id)
    WHERE recorded_at IS NULL;

-- Keys that sign return paths: the newest signs, all verify. Shared by every process through this table.
CREATE TABLE return_path_keys (
    id         integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    secret     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT a_key_is_at_least_128_bits CHECK (octet_length(secret) >= 16)
);
