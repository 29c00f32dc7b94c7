-- name: contacts_of_identities
SELECT identity, email_addresses, is_reserved
  FROM contacts
 WHERE identity = ANY ($1::text[]);

-- name: names_of_identities
SELECT identity, name
  FROM contacts
 WHERE identity = ANY ($1::text[])
   AND name IS NOT NULL;

-- name: entry_of_identity
SELECT identity, name, email_addresses, mobile_numbers, is_reserved, changed_at
  FROM contacts
 WHERE identity = $1;

-- name: all_entries
SELECT identity, name, email_addresses, mobile_numbers, is_reserved
  FROM contacts
 ORDER BY identity;

-- name: remove_entry
DELETE FROM contacts
 WHERE identity = $1
RETURNING identity;

-- name: create_incoming_contacts
-- A file's lines while it is read: of this connection only, and gone with the transaction
CREATE TEMPORARY TABLE incoming_contacts (
    line            integer NOT NULL,
    identity        text    NOT NULL,
    name            text,
    email_addresses text[]  NOT NULL,
    mobile_numbers  text[]  NOT NULL,
    is_reserved     boolean NOT NULL
) ON COMMIT DROP;

-- name: repeated_lines
-- Lines whose identity has a line before them, and how many there are in all
SELECT line, first_line, count(*) OVER () AS total
  FROM (SELECT line, min(line) OVER (PARTITION BY identity) AS first_line
          FROM incoming_contacts) AS lines
 WHERE line > first_line
 ORDER BY line
 LIMIT $1;

-- name: lock_contacts
-- One import at a time changes the table: two would wait for each other's rows. Whoever reads is not kept waiting.
LOCK TABLE contacts IN SHARE ROW EXCLUSIVE MODE;

-- name: count_incoming_contacts
SELECT count(*)
  FROM incoming_contacts;

-- name: change_contacts
-- What is the same is not written: a register that is brought anew every night hardly changes
UPDATE contacts AS c
   SET name            = i.name,
       email_addresses = i.email_addresses,
       mobile_numbers  = i.mobile_numbers,
       is_reserved     = i.is_reserved,
       changed_at      = now()
  FROM incoming_contacts AS i
 WHERE i.identity = c.identity
   AND (i.name, i.email_addresses, i.mobile_numbers, i.is_reserved)
       IS DISTINCT FROM (c.name, c.email_addresses, c.mobile_numbers, c.is_reserved);

-- name: add_contacts
INSERT INTO contacts (identity, name, email_addresses, mobile_numbers, is_reserved)
SELECT identity, name, email_addresses, mobile_numbers, is_reserved
  FROM incoming_contacts AS i
 WHERE NOT EXISTS (SELECT FROM contacts AS c WHERE c.identity = i.identity);

-- name: remove_other_contacts
DELETE FROM contacts AS c
 WHERE NOT EXISTS (SELECT FROM incoming_contacts AS i WHERE i.identity = c.identity);
