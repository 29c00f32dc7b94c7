"""All SQL and nothing but: the schema, the statements, the way to PostgreSQL."""
