"""A mail server that plays every outcome, for development, the demo and tests."""
