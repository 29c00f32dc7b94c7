"""Standard output, for commands that write to it while they read the database: whose trouble it is must be told."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase, TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from varsel.errors import SettingsError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Output(BufferedIOBase):
    """The bytes of stdout, as a file that never raises OSError, which would be taken for the database's.

    Raises:
        SettingsError: stdout cannot be written to.
        BrokenPipeError: whoever reads it has enough.
    """

    def __init__(self) -> None:
        self._file = sys.stdout.buffer

    @property
    def name(self) -> str:
        """As sys.stdout has it."""
        return "<stdout>"

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write it, or keep it until there is more."""
        with _told():
            return self._file.write(content)

    def flush(self) -> None:
        """Write what was kept."""
        with _told():
            self._file.flush()


@contextmanager
def text_output(encoding: str) -> Iterator[TextIO]:
    """The same as text, with line ends as they are given."""
    text = TextIOWrapper(Output(), encoding=encoding, errors=sys.stdout.errors, newline="")
    try:
        yield text
    finally:
        text.detach()


def leave_output() -> None:
    """Write nothing more; without this Python would complain once more when it flushes the rest."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        leave_output()
        raise SettingsError(f"the output cannot be written: {error.strerror}") from error
