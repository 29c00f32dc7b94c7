"""A PostgreSQL that a test may stop, starve and freeze, because nobody else uses it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.chaos_database import Database


@contextmanager
def own_database() -> Iterator[Database]:
    """One that runs, and ends with the test."""
    with tempfile.TemporaryDirectory(prefix="varsel-database-") as folder:
        Path(folder).chmod(0o711)  # the server's own user passes through, where we are root
        database = Database(Path(folder))
        database.start()
        yield database
        database.stop()
