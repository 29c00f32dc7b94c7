-- name: create_migrations_table
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text        PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: applied_migrations
SELECT name
  FROM schema_migrations;

-- name: add_migration
INSERT INTO schema_migrations (name)
VALUES ($1);
