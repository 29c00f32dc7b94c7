"""A relay that has many delivery reports to hand over: RFC 3464, half delivered, half failed, each to its return path.

A process of its own. On its stdin it takes an `Errand` as JSON; when all reports are written it prints a line, and
begins at the end of its stdin; then it prints a `Log`:

    python -m bench.report_source < errand.json
"""

import asyncio
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop

from bench.fresh_orders import address_of, notification_id
from bench.tool import WHOLE_CORE
from bench.unsound import Unsound
from varsel.sandbox.fates import DELIVERED, Action, Outcome
from varsel.sandbox.handler import Envelope, Recipient
from varsel.sandbox.reports import Report
from varsel.settings import DEV_DOMAIN
from varsel.transports.return_path import ReturnPaths

CONNECTIONS = 8  # a Postfix opens up to 20
FAILED = Outcome(Action.FAILED, "5.1.1", "smtp; 550 5.1.1 Recipient address rejected: no such user")


class Errand(msgspec.Struct, frozen=True):
    """What to report on: a series of orders, and the mail whose headers the reports carry."""

    port: int
    series: int
    count: int
    key: str  # that signs return paths, base64
    mail: str  # a file


class Log(msgspec.Struct, frozen=True):
    """What came of it."""

    seconds: float
    replies: Mapping[str, int]  # to the final dot, or to the command at which the matter was decided
    cores: float

    def check(self, count: int) -> "Log":
        """Itself.

        Raises:
            Unsound: not all reports were taken, or the generator used a whole core.
        """
        if self.replies != {"250": count}:
            raise Unsound(f"of {count} reports these were the replies: {dict(self.replies)}")
        if self.cores > WHOLE_CORE:
            raise Unsound(f"the generator of reports took {self.cores:.2f} cores")
        return self


@contextmanager
def report_source(errand: Errand) -> Iterator[Callable[[], Log]]:
    """Have all reports written; calling what this yields hands them over, and returns when the last one is answered."""
    command = [sys.executable, "-m", "bench.report_source"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def hand_over() -> Log:
            stdin.close()
            return msgspec.json.decode(stdout.read(), type=Log)

        try:
            stdin.write(msgspec.json.encode(errand) + b"\n")
            stdin.flush()
            stdout.readline()
            yield hand_over
        finally:
            process.kill()


def write_report(mail: bytes, return_path: str, series: int, number: int) -> bytes:
    """The report on the mail of this number, as a relay writes it that was asked for the headers only."""
    recipient = Recipient(address_of(series, number), frozenset({"SUCCESS", "FAILURE"}))
    head = mail.partition(b"\r\n\r\n")[0] + b"\r\n"
    envelope = Envelope(return_path, (recipient,), envid=f"{number:012}", ret="HDRS")
    now = datetime.now(UTC)
    outcome = DELIVERED if number % 2 else FAILED
    return Report(f"4D1R{number:08}", now, envelope, head, 0, outcome).write(written_at=now)


def _written(errand: Errand) -> Sequence[tuple[bytes, bytes, bytes]]:
    """Each report: MAIL and RCPT, DATA, and the message with its final dot."""
    paths = ReturnPaths(f"bounce.{DEV_DOMAIN}", [b64decode(errand.key)])
    mail = Path(errand.mail).read_bytes().replace(b"\n", b"\r\n")
    reports = []
    for number in range(1, errand.count + 1):
        path = paths.address_of(notification_id(errand.series, number))
        stuffed = (b"\r\n" + write_report(mail, path, errand.series, number)).replace(b"\r\n.", b"\r\n..")[2:]
        reports.append((b"MAIL FROM:<>\r\n", f"RCPT TO:<{path}>\r\n".encode(), stuffed + b".\r\n"))
    return reports


async def _hand_over(errand: Errand, reports: Iterator[tuple[bytes, bytes, bytes]], replies: Counter[str]) -> None:
    """Be one connection: take reports from the common heap until there are none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", errand.port)
    await _reply(reader)
    writer.write(b"LHLO relay.etaten.no\r\n")
    can_pipeline = "PIPELINING" in await _reply(reader)
    for mail, recipient, message in reports:
        if can_pipeline:
            writer.write(mail + recipient + b"DATA\r\n")
            steps = [await _reply(reader) for _ in range(3)]
        else:
            steps = [await _ask(reader, writer, command) for command in (mail, recipient, b"DATA\r\n")]
        if [step[:3] for step in steps] != ["250", "250", "354"]:
            replies[" ".join(step[:3] for step in steps)] += 1
            return
        replies[(await _ask(reader, writer, message))[:3]] += 1
    writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets: bytes) -> str:
    writer.write(octets)
    return await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> str:
    """All lines of one reply."""
    lines = ""
    while True:
        line = (await reader.readline()).decode()
        lines += line
        if line[3:4] != "-":
            return lines


async def _run(errand: Errand, reports: Sequence[tuple[bytes, bytes, bytes]]) -> Log:
    replies: Counter[str] = Counter()
    heap = iter(reports)
    began_at, began_with = time.perf_counter(), time.process_time()
    with suppress(ConnectionError):  # what was not answered is missing in the counts
        await asyncio.gather(*(_hand_over(errand, heap, replies) for _ in range(CONNECTIONS)))
    seconds = time.perf_counter() - began_at
    return Log(seconds, replies, (time.process_time() - began_with) / seconds)


def main() -> None:
    """Run one errand."""
    errand = msgspec.json.decode(sys.stdin.buffer.readline(), type=Errand)
    reports = _written(errand)
    print("written", flush=True)
    sys.stdin.buffer.read()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        log = runner.run(_run(errand, reports))
    sys.stdout.buffer.write(msgspec.json.encode(log))


def key_in_words(secret: bytes) -> str:
    """A key as the errand has it."""
    return b64encode(secret).decode()


if __name__ == "__main__":
    main()
