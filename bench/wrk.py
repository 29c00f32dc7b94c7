"""Closed-loop HTTP load by wrk: as many requests as a number of connections get answered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.fill import BLOCK, ORDER_PREFIX, PICKS
from bench.tool import Tool, find_tool
from bench.unsound import Unsound

# The request is one text that is put together here: wrk's own wrk.format takes ten times as long.
_GET = """
local before, after = {before}, {after}
math.randomseed(os.time() + {seed})
function request()
  return before .. string.format("%012d", {block} * math.random(0, {last_block})
    + {step} * math.random(0, {last}) + {start}) .. after
end
"""
_POST = """
local whole = {whole}
function request()
  return whole
end
"""
_DONE = """
function done(summary, latency)
  local e = summary.errors
  local form = '\\nDONE {"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "refused": %d, "lost": %d}\\n'
  io.write(string.format(form, summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the load got."""

    rate: float  # answers a second
    p50: float  # milliseconds
    p99: float  # milliseconds
    generator: float  # cores that wrk took


class Load:
    """One kind of request, for one run of wrk after another."""

    def __init__(self, url: str, script: str, folder: Path, *, connections: int) -> None:
        self._url = url
        self._file = folder / f"{url.rpartition(':')[2]}.lua"  # two APIs have two ports
        self._file.write_text(script + _DONE, encoding="utf-8")
        self._connections = connections

    def begin(self, seconds: float) -> Tool:
        """Start it; `answers_of` waits for it."""
        options = ["-t", "1", "-c", str(self._connections), "-d", f"{max(1, round(seconds))}s"]
        return Tool([find_tool("wrk"), *options, "-s", self._file, self._url])

    def run(self, seconds: float) -> Answers:
        """Run it to its end."""
        return answers_of(self.begin(seconds))


def answers_of(tool: Tool) -> Answers:
    """Wait for a run of wrk.

    Raises:
        Unsound: an answer was an error, or none came.
    """
    done = tool.wait()
    line = next((line for line in done.output.splitlines() if line.startswith("DONE ")), None)
    if line is None:
        raise Unsound(f"wrk did not finish: {done.output.strip().splitlines()[-1]}")
    said = json.loads(line.removeprefix("DONE "))
    if said["refused"] or said["lost"] or not said["requests"]:
        raise Unsound(f"{said['refused']} answers were not 2xx, {said['lost']} did not come, of {said['requests']}")
    rate = said["requests"] / said["microseconds"] * 1e6
    return Answers(rate, said["p50"] / 1e3, said["p99"] / 1e3, done.cores)


def get_load(headers: Mapping[str, str], recipients: int, blocks: int, *, seed: int = 0) -> str:
    """GET the notifications of an order of this size, picked at random."""
    pick = PICKS[recipients]
    return _GET.format(
        before=_lua(f"GET /notifications/api/v1/orders/{ORDER_PREFIX}"),
        after=_lua(f"/notifications/email HTTP/1.1\r\n{_head(headers)}\r\n"),
        block=BLOCK,
        last_block=blocks - 1,
        step=pick.step,
        last=pick.count - 1,
        start=pick.start,
        seed=seed,
    )


def post_load(headers: Mapping[str, str], order: Mapping[str, object]) -> str:
    """POST this order again and again."""
    return _POST.format(whole=_lua(post_request(headers, order)))


def post_request(headers: Mapping[str, str], order: Mapping[str, object]) -> str:
    """The request as it goes over the wire."""
    body = json.dumps(order)  # ASCII, so that its length in characters is that in bytes
    more = {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}
    return f"POST /notifications/api/v1/orders/email HTTP/1.1\r\n{_head(more)}\r\n{body}"


def order_of(recipients: Sequence[str], subject: str, body: str) -> Mapping[str, object]:
    """An order as a service owner writes it."""
    return {"subject": subject, "body": body, "recipients": [{"emailAddress": address} for address in recipients]}


def _head(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _lua(text: str) -> str:
    """A literal of Lua: what JSON escapes, Lua escapes likewise, but for characters that are in no request of ours."""
    return json.dumps(text, ensure_ascii=False)
