-- What a send status rests on: which relay and which report said so, by which rule, and what is in doubt.

ALTER TABLE notifications
    ADD COLUMN owner          text,                          -- the order's: whose turn it is, whose suppression list counts
    ADD COLUMN is_bulk        boolean NOT NULL DEFAULT false, -- of a large order: waits in a queue of its own
    ADD COLUMN status_rule    text,                          -- the rule that read the other side's words
    ADD COLUMN relay          text,                          -- host:port that answered the last attempt
    ADD COLUMN report_id      bigint,                        -- the delivery report that set the send status
    ADD COLUMN in_doubt_since timestamptz,                   -- since when the attempt's result is unknown
    ADD COLUMN was_in_doubt   boolean NOT NULL DEFAULT false, -- an attempt may have succeeded unseen: evidence overrules
    ADD COLUMN report_due_at  timestamptz,                   -- when silence means failure; infinity: never will
    ADD CONSTRAINT in_doubt_only_while_sending
        CHECK (in_doubt_since IS NULL OR send_status = 'Sending');

UPDATE notifications AS n
   SET owner = o.owner
  FROM orders AS o
 WHERE o.id = n.order_id;

ALTER TABLE notifications ALTER COLUMN owner SET NOT NULL;

DROP INDEX notifications_due;
-- serves claim_notifications: the queues' names are read by skipping, the head of each in order
CREATE INDEX notifications_due ON notifications (owner, is_bulk, next_attempt_at)
    WHERE send_status = 'New';
-- serves expire_unsent
CREATE INDEX notifications_expiring ON notifications (expires_at)
    WHERE send_status = 'New';
-- serves fail_unreported
CREATE INDEX notifications_awaiting_report ON notifications (report_due_at)
    WHERE send_status = 'Succeeded' AND report_due_at IS NOT NULL;
-- serves last_notifications_to
CREATE INDEX notifications_by_recipient ON notifications (lower(recipient_address), id);

ALTER TABLE send_status_history
    ADD COLUMN status_rule text,
    ADD COLUMN relay       text,
    ADD COLUMN report_id   bigint,
    ADD COLUMN in_doubt    boolean NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION keep_send_status_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO send_status_history (
        order_id, notification_id, changed_at, send_status, attempt,
        status_detail, status_rule, relay, report_id, in_doubt
    )
    VALUES (
        NEW.order_id, NEW.id, now(), NEW.send_status, NEW.attempt,
        NEW.status_detail, NEW.status_rule, NEW.relay, NEW.report_id, NEW.in_doubt_since IS NOT NULL
    );
    RETURN NULL;
END
$$;

DROP TRIGGER send_status_is_kept_in_history ON notifications;
CREATE TRIGGER send_status_is_kept_in_history
    AFTER UPDATE ON notifications
    FOR EACH ROW WHEN (
        OLD.send_status IS DISTINCT FROM NEW.send_status
        OR (OLD.in_doubt_since IS NULL AND NEW.in_doubt_since IS NOT NULL)
    )
    EXECUTE FUNCTION keep_send_status_history();

-- A report may come unsigned (a complaint), and may match no mail: then it waits here to be matched again.
ALTER TABLE delivery_reports
    ALTER COLUMN notification_id DROP NOT NULL,              -- the mail that it is about; absent while unmatched
    ADD COLUMN order_id      uuid,
    ADD COLUMN signed_for    uuid,                           -- from the signed return path; absent for complaints
    ADD COLUMN matched_by    text,                           -- what named the mail
    ADD COLUMN recipient     text,                           -- as the report has it
    ADD COLUMN detail        text,                           -- the other side's own words
    ADD COLUMN next_match_at timestamptz DEFAULT now(),      -- when a report not recorded is looked at again
    DROP CONSTRAINT a_report_is_stored_once;

UPDATE delivery_reports AS r
   SET signed_for = r.notification_id,
       order_id   = (SELECT n.order_id FROM notifications AS n WHERE n.id = r.notification_id);

ALTER TABLE delivery_reports
    ADD CONSTRAINT a_report_is_stored_once UNIQUE NULLS NOT DISTINCT (signed_for, digest);

DROP INDEX delivery_reports_to_record;
-- serves reports_to_record
CREATE INDEX delivery_reports_to_record ON delivery_reports (next_match_at)
    WHERE recorded_at IS NULL;
-- serves reports_of_order
CREATE INDEX delivery_reports_of_order ON delivery_reports (order_id)
    WHERE order_id IS NOT NULL;

-- Addresses that an owner's mail is not sent to.
CREATE TABLE suppressed_addresses (
    owner           text        NOT NULL,
    address         text        NOT NULL,                    -- in lower case
    reason          text        NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),
    until           timestamptz,                             -- absent: until somebody removes it
    notification_id uuid,                                    -- the mail that bounced or was complained about
    detail          text,                                    -- the other side's words, or the operator's

    PRIMARY KEY (owner, address),
    CONSTRAINT a_reason_that_we_know CHECK (reason IN ('bounce', 'complaint', 'operator'))
);
