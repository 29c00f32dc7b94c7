"""Open-loop HTTP load as the one sees it that wants it: an errand for `request_source`, and the log that comes back."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import msgspec

from bench.figure import percentile
from bench.tool import WHOLE_CORE
from bench.unsound import Unsound

LATE_LIMIT = 0.01  # seconds that one request in a hundred may be late


class Errand(msgspec.Struct, frozen=True):
    """What to ask, how often and how long. Between `before` and `after` each request has its number, 12 digits."""

    port: int
    before: str
    after: str
    a_second: float
    seconds: float
    first: int = 0


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """One request; seconds of CLOCK_MONOTONIC."""

    number: int
    due_at: float
    asked_at: float  # later than due where the generator was late; waiting for a connection is the answer's time
    answered_at: float
    status: int  # 0: there was no answer


class Log(msgspec.Struct, frozen=True):
    """What came of the errand."""

    asked: Sequence[Asked]
    cores: float  # that the generator took

    def check(self) -> "Log":
        """Itself.

        Raises:
            Unsound: an answer was none or not 2xx, or the generator was late or used a whole core.
        """
        bad = [asked for asked in self.asked if not 200 <= asked.status < 300]
        if bad:
            raise Unsound(f"{len(bad)} of {len(self.asked)} requests got no 2xx, the first {bad[0].status}")
        late = percentile([asked.asked_at - asked.due_at for asked in self.asked], 99)
        if late > LATE_LIMIT or self.cores > WHOLE_CORE:
            raise Unsound(f"the generator was {late * 1e3:.0f} ms late (p99) and took {self.cores:.2f} cores")
        return self

    @property
    def latencies(self) -> Sequence[float]:
        """Seconds to each answer."""
        return [asked.answered_at - asked.asked_at for asked in self.asked]


class RequestSource:
    """The process, as the one sees it that started it."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self._process = process
        self._said = said

    @property
    def is_running(self) -> bool:
        """Whether it is not done yet."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Let it ask nothing more; what was asked is still answered."""
        self._process.terminate()

    def log(self) -> Log:
        """Wait for its end."""
        if self._process.wait() != 0:
            raise Unsound("the generator of requests failed")
        self._said.seek(0)
        return msgspec.json.decode(self._said.read(), type=Log)


@contextmanager
def request_source(errand: Errand) -> Iterator[RequestSource]:
    """Run an errand, which begins at once, and end it with the block."""
    command = [sys.executable, "-m", "bench.request_source"]
    # A file, because a pipe would have to be read while the errand runs.
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said) as process:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(errand))
        process.stdin.close()
        try:
            yield RequestSource(process, said)
        finally:
            process.kill()
