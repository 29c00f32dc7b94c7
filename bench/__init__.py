"""What is measured, and how to run it again; nothing here is part of the service."""
