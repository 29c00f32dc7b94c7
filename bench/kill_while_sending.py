"""kill -9 in the middle of sending: nothing may be lost, and few mails may be doubled.

A relay takes five milliseconds a mail. An order of 2,000 recipients is placed, the service is killed and started
again three times while it sends, and then everything must have arrived, with no status left New or Sending.

    make chaos
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.relay_thread import relay_thread
from bench.service import Service
from varsel.sandbox.handler import Answer, Envelope, Handler

SETTLE_LIMIT = 30.0  # seconds after the last start


class SlowRelay(Handler):
    """Counts what it took; the answer to the final dot takes a while."""

    def __init__(self, seconds_a_mail: float) -> None:
        self._seconds = seconds_a_mail
        self.taken: Counter[str] = Counter()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        await asyncio.sleep(self._seconds)
        self.taken[envelope.recipients[0].address] += 1
        return None


def main() -> int:
    """Run it; 1 where anything was lost or left open."""
    options = _options()
    random.seed(options.seed)
    relay = SlowRelay(options.milliseconds / 1000)
    with relay_thread(relay) as port, tempfile.TemporaryDirectory(prefix="varsel-chaos-") as folder:
        Path(folder).chmod(0o711)
        service = Service(Path(folder), port)
        service.start()
        try:
            return _kill_and_count(service, relay, options)
        finally:
            service.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mails", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--milliseconds", type=float, default=5.0, help="that the relay takes a mail")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    return parser.parse_args()


def _kill_and_count(service: Service, relay: SlowRelay, options: argparse.Namespace) -> int:
    recipients = [{"emailAddress": f"silent+{number}@sandbox.test"} for number in range(options.mails)]
    with service.owner() as client:
        order = {"subject": "Hei", "body": "Hei på deg", "recipients": recipients}
        answer = client.post("/notifications/api/v1/orders/email", json=order).raise_for_status()
    path = f"/notifications/api/v1/orders/{answer.json()['orderId']}/notifications/email"
    share = options.mails // (options.kills + 1)
    for kill in range(1, options.kills + 1):
        _wait_for(lambda wanted=share * kill: relay.taken.total() >= wanted)
        time.sleep(random.uniform(0, 0.02))
        service.kill()
        print(f"kill {kill}: after {relay.taken.total()} mails at the relay")
        service.start()
    started_at = time.monotonic()
    statuses: Counter[str] = Counter()
    with service.owner() as client:
        while time.monotonic() - started_at < SETTLE_LIMIT:
            notifications = client.get(path).raise_for_status().json()["notifications"]
            statuses = Counter(n["sendStatus"]["status"] for n in notifications)
            if not statuses["New"] and not statuses["Sending"]:
                break
            time.sleep(0.2)
    settled = time.monotonic() - started_at
    lost = options.mails - len(relay.taken)
    doubled = relay.taken.total() - len(relay.taken)
    is_open = statuses["New"] + statuses["Sending"]
    print(f"seed {options.seed}: {options.mails} mails, {options.kills} kills")
    print(f"settled {settled:.1f} s after the last start")
    print(f"lost {lost}, doubled {doubled} ({doubled / max(1, options.kills):.1f} a kill), statuses {dict(statuses)}")
    return 1 if lost or is_open else 0


def _wait_for(is_reached: object, limit: float = 120.0) -> None:
    assert callable(is_reached)
    deadline = time.monotonic() + limit
    while not is_reached():
        if time.monotonic() > deadline:
            raise TimeoutError("the relay did not get its mails")
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
