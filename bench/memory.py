"""Resident memory of the varsel process: idle, its peak under each load, and with one very large order."""

import http.client
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench import get_status, post_order
from bench.figure import Figure, number
from bench.fill import BLOCK, PICKS, order_id
from bench.fresh_orders import wait_until_sent
from bench.post_order import order_to
from bench.processes import PeakMemory, resident
from bench.request_log import Errand, Log, request_source
from bench.run import Run, headers_of
from bench.service import Service
from bench.sink import sink
from bench.unsound import Unsound
from bench.wrk import Load, get_load, post_load, post_request

SETTLE = 3.0  # seconds until a service that has started is idle
PROBES = 50.0  # other requests a second while the large order is at work
LIMIT = 120.0  # seconds for one answer
LONGEST = 900.0  # seconds of probing
CHUNK = 65_536  # bytes


def measure(run: Run) -> Iterator[Figure]:
    """Peaks of processes that have just started, so that none carries what another load left."""
    with run.filled() as database, sink() as target:
        yield _idle(run, database, target.port)
        for what, load in _loads(run).items():
            with run.service(database, "--role", "all", relay_port=target.port) as service:
                yield _under(run, what, service, load)
            wait = run.service(database, "--role", "worker", relay_port=target.port)
            with wait:  # what POST left is sent, so that the next service starts with nothing to do
                wait_until_sent(run.databases, database)
        with run.service(database, "--role", "all", relay_port=target.port) as service:
            yield from LargeOrder(run, database, service, run.length.many).measure()


def _idle(run: Run, database: str, relay_port: int) -> Figure:
    with run.service(database, "--role", "all", relay_port=relay_port) as service:
        time.sleep(SETTLE)
        return Figure("idle", "MB", [resident(service.pid)], better="less")


@dataclass(frozen=True, slots=True)
class _Load:
    """A load of wrk on a service that sends meanwhile."""

    recipients: int
    is_get: bool


def _loads(run: Run) -> Mapping[str, _Load]:
    return {
        "GET 10, peak": _Load(10, is_get=True),
        "GET 1,000, peak": _Load(1_000, is_get=True),
        "POST 1 and sending, peak": _Load(1, is_get=False),
    }


def _under(run: Run, what: str, service: Service, load: _Load) -> Figure:
    headers = headers_of(service)
    if load.is_get:
        script, connections = get_load(headers, load.recipients, run.blocks), get_status.CONNECTIONS
    else:
        script, connections = post_load(headers, order_to(load.recipients)), post_order.CONNECTIONS
    peak = PeakMemory(service.pid)
    answers = Load(service.url, script, run.folder, connections=connections).run(run.length.seconds)
    beside = {"answers/s": number(answers.rate)}
    return Figure(what, "MB", [peak.megabytes()], better="less", beside=beside)


class LargeOrder:
    """One order with very many recipients: its POST, its sending, its GET; others ask meanwhile."""

    def __init__(self, run: Run, database: str, service: Service, recipients: int) -> None:
        self._run = run
        self._database = database
        self._service = service
        self._recipients = recipients
        self._headers = headers_of(service)
        self._port = int(service.url.rpartition(":")[2])

    def measure(self) -> Iterator[Figure]:
        """All figures of the order."""
        name = f"1 order of {self._recipients:,}"
        before = resident(self._service.pid)
        with request_source(self._probe()) as prober:
            time.sleep(1.0)  # until the others ask
            marks = [time.perf_counter()]
            order, posted = self._post()
            marks.append(time.perf_counter())
            sent = self._send()
            marks.append(time.perf_counter())
            got = self._get(order)
            marks.append(time.perf_counter())
            prober.stop()
            log = prober.log()
        steps = {"POST": posted, "sending": sent, "GET": got.peak}
        for (step, peak), span in zip(steps.items(), pairwise(marks), strict=True):
            yield from _step(f"{name}, {step}", span[1] - span[0], peak, before, _worst(log, *span))
        yield Figure(f"{name}, GET, first byte", "ms", [got.first_byte * 1e3], better="less")
        yield Figure(f"{name}, GET, growth", "MB", [got.peak - got.before], better="less", beside=got.beside)

    def _send(self) -> float:
        """The peak until all mails are recorded as sent."""
        peak = PeakMemory(self._service.pid)
        wait_until_sent(self._run.databases, self._database)
        return peak.megabytes()

    def _probe(self) -> Errand:
        """Ask for a small order, as others do."""
        path = f"/notifications/api/v1/orders/{order_id(BLOCK + PICKS[1].start)}/notifications/email"
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())
        return Errand(self._port, f"GET {path}?n=", f" HTTP/1.1\r\n{head}\r\n", PROBES, LONGEST)

    def _post(self) -> tuple[str, float]:
        """The order's id, and the peak until the answer."""
        body = post_request(self._headers, order_to(self._recipients)).partition("\r\n\r\n")[2]
        peak = PeakMemory(self._service.pid)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT)
        headers = {**self._headers, "Content-Type": "application/json"}
        connection.request("POST", "/notifications/api/v1/orders/email", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status >= 300:
            raise Unsound(f"POST of {self._recipients:,} recipients answered {answer.status}")
        return text.partition('"orderId":"')[2][:36], peak.megabytes()

    def _get(self, order: str) -> "_Got":
        before, peak = resident(self._service.pid), PeakMemory(self._service.pid)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT)
        began_at = time.perf_counter()
        path = f"/notifications/api/v1/orders/{order}/notifications/email"
        connection.request("GET", path, headers=dict(self._headers))
        answer = connection.getresponse()
        answer_bytes = len(answer.read(1))
        first_byte = time.perf_counter() - began_at
        while chunk := answer.read(CHUNK):
            answer_bytes += len(chunk)
        connection.close()
        if answer.status != 200 or answer_bytes < self._recipients * 100:
            raise Unsound(f"GET of {self._recipients:,} recipients answered {answer.status}, {answer_bytes} bytes")
        return _Got(first_byte, before, peak.megabytes(), {"answer MB": number(answer_bytes / 1e6)})


@dataclass(frozen=True, slots=True)
class _Got:
    """What GET of the large order was like: seconds, megabytes."""

    first_byte: float
    before: float
    peak: float
    beside: Mapping[str, str]


def _step(what: str, seconds: float, peak: float, before: float, worst: float) -> Sequence[Figure]:
    return [
        Figure(what, "s", [seconds], better="less"),
        Figure(f"{what}, peak", "MB", [peak], better="less", beside={"before the order": number(before)}),
        Figure(f"{what}, others' worst answer", "ms", [worst * 1e3], better="less"),
    ]


def _worst(log: Log, begin: float, end: float) -> float:
    """Seconds of the slowest answer that was waited for in this span."""
    if any(asked.status != 200 for asked in log.asked):
        raise Unsound("others got no 200 while the large order was at work")
    during = (asked for asked in log.asked if asked.asked_at < end and asked.answered_at > begin)
    return max((asked.answered_at - asked.asked_at for asked in during), default=0.0)
