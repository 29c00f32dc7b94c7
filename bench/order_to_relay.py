"""Order to relay on an idle machine: from the answer to POST until the relay's 250, one order at a time.

Also measured: from the request being sent, which includes storing the order durably. The yardstick of the same run
is a bare SMTP transaction with the same relay over a kept connection: what no service could be faster than.

    make bench-handover
"""

import argparse
import asyncio
import statistics
import tempfile
import threading
import time
from pathlib import Path

import aiosmtplib

from bench.relay_thread import relay_thread
from bench.service import Service
from varsel.sandbox.handler import Answer, Envelope, Handler

MESSAGE = b"From: a@varsel.test\r\nTo: b@sandbox.test\r\nSubject: Hei\r\n\r\nHei\r\n"


class ClockRelay(Handler):
    """Notes when it answered the final dot of each mail."""

    def __init__(self) -> None:
        self.taken_at: dict[str, float] = {}
        self.news = threading.Event()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.taken_at[envelope.recipients[0].address] = time.perf_counter()
        self.news.set()
        return None


def main() -> None:
    """Run it and print percentiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between orders: the machine is idle")
    options = parser.parse_args()
    relay = ClockRelay()
    with relay_thread(relay) as port, tempfile.TemporaryDirectory(prefix="varsel-bench-") as folder:
        Path(folder).chmod(0o711)
        service = Service(Path(folder), port)
        service.start()
        try:
            _measure(service, relay, options.orders, options.pause)
        finally:
            service.stop()
        yardstick = asyncio.run(_bare_transactions(port, options.orders))
    _print("bare SMTP transaction (yardstick)", yardstick)


def _measure(service: Service, relay: ClockRelay, orders: int, pause: float) -> None:
    after_answer, after_request, answers = [], [], []
    with service.owner() as client:
        for number in range(-10, orders):  # the first ten warm up
            address = f"silent+{number}@sandbox.test"
            order = {"subject": "Hei", "body": "Hei på deg", "recipients": [{"emailAddress": address}]}
            asked_at = time.perf_counter()
            client.post("/notifications/api/v1/orders/email", json=order).raise_for_status()
            answered_at = time.perf_counter()
            while address not in relay.taken_at:
                relay.news.wait(5)
                relay.news.clear()
            if number >= 0:
                # Negative where the relay had the mail before the client had its answer.
                after_answer.append(relay.taken_at[address] - answered_at)
                after_request.append(relay.taken_at[address] - asked_at)
                answers.append(answered_at - asked_at)
            time.sleep(pause)
    _print("POST answered -> relay's 250", after_answer)
    _print("POST sent -> relay's 250", after_request)
    _print("POST sent -> POST answered", answers)


async def _bare_transactions(port: int, mails: int) -> list[float]:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await client.connect()
    times = []
    for number in range(mails):
        began_at = time.perf_counter()
        await client.mail("a@varsel.test")
        await client.rcpt(f"yardstick+{number}@sandbox.test")
        await client.data(MESSAGE)
        times.append(time.perf_counter() - began_at)
    await client.quit()
    return times


def _print(name: str, seconds: list[float]) -> None:
    percentiles = statistics.quantiles(seconds, n=100)
    print(f"{name:36} p50 {percentiles[49] * 1e3:7.2f} ms   p99 {percentiles[98] * 1e3:7.2f} ms   n {len(seconds)}")


if __name__ == "__main__":
    main()
