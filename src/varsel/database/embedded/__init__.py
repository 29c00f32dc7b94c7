"""PostgreSQL as a child of ours, for those who have none: evaluation, development and tests."""
