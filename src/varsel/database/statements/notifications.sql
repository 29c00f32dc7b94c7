-- name: pages_of_orders
-- Of each wanted order a page in the order of its recipients, after the given id; no row where the owner has no such
-- order. A page is one row of arrays, in the texts that are shown: for a thousand notifications that costs a third of
-- a thousand rows turned into objects.
SELECT wanted.number,
       o.senders_reference,
       coalesce(page.ids, '{}')                       AS ids,
       coalesce(page.addresses, '{}')                 AS addresses,
       coalesce(page.organization_numbers, '{}')      AS organization_numbers,
       coalesce(page.national_identity_numbers, '{}') AS national_identity_numbers,
       coalesce(page.send_statuses, '{}')             AS send_statuses,
       coalesce(page.changed_at, '{}')                AS changed_at
  FROM unnest($1::uuid[], $2::text[], $3::uuid[]) WITH ORDINALITY AS wanted (order_id, owner, after, number)
  JOIN orders AS o
    ON o.id = wanted.order_id
   AND o.owner = wanted.owner
 CROSS JOIN LATERAL (
       SELECT array_agg(id::text)                          AS ids,
              array_agg(to_json(recipient_address)::text)  AS addresses,
              array_agg(organization_number)               AS organization_numbers,
              array_agg(national_identity_number)          AS national_identity_numbers,
              array_agg(send_status::text)                 AS send_statuses,
              array_agg((send_status_at AT TIME ZONE 'UTC')::text) AS changed_at
         FROM (SELECT id, recipient_address, organization_number, national_identity_number, send_status, send_status_at
                 FROM notifications
                WHERE order_id = o.id
                  AND id > wanted.after
                ORDER BY id
                LIMIT $4::integer) AS n
       ) AS page;

-- name: contents_of_orders
SELECT id, created_at, from_address, subject, body, content_type
  FROM orders
 WHERE id = ANY ($1::uuid[]);

-- name: steps_of_order
-- What an operator reads: every step of every notification, and the reports about it that moved no status. A
-- notification without either still has one row.
SELECT n.id, n.recipient_address, coalesce(n.organization_number, n.national_identity_number) AS identity,
       n.send_status AS last_status, n.next_attempt_at,
       step.at, step.send_status, step.attempt, step.relay, step.detail, step.rule, step.report_id, step.in_doubt
  FROM notifications AS n
  LEFT JOIN LATERAL (
       SELECT h.changed_at AS at, h.send_status::text AS send_status, h.attempt, h.relay,
              h.status_detail AS detail, h.status_rule AS rule, h.report_id, h.in_doubt
         FROM send_status_history AS h
        WHERE h.order_id = n.order_id
          AND h.notification_id = n.id
        UNION ALL
       SELECT r.received_at, NULL, NULL, NULL, r.detail, coalesce(r.rule, 'not read yet'), r.id, false
         FROM delivery_reports AS r
        WHERE r.order_id = n.order_id
          AND r.notification_id = n.id
          AND NOT EXISTS (SELECT 1 FROM send_status_history AS h WHERE h.order_id = n.order_id AND h.report_id = r.id)
       ) AS step
    ON true
 WHERE n.order_id = $1
 ORDER BY n.id, step.at, step.attempt NULLS FIRST;

-- name: order_for_operator
SELECT id, owner, senders_reference, requested_send_time, created_at, status, status_at, channel, subject,
       attempt, retry_at, claimed_by, condition_unanswered
  FROM orders
 WHERE id = $1;
