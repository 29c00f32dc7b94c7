"""A mail as the product writes it, for yardsticks that hand over as many bytes."""

import queue
from pathlib import Path

from bench.post_order import order_to
from bench.relay_thread import relay_thread
from bench.run import Run
from varsel.sandbox.handler import Answer, Envelope, Handler

LIMIT = 10.0  # seconds


class _Keeper(Handler):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.mails: queue.Queue[bytes] = queue.Queue()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.mails.put(content)
        return None


def example_mail(run: Run, database: str) -> Path:
    """A file with the mail for one recipient, in the form that smtp-source wants."""
    keeper = _Keeper()
    with (
        relay_thread(keeper) as port,
        run.service(database, "--role", "all", relay_port=port) as service,
        service.owner() as owner,
    ):
        owner.post("/notifications/api/v1/orders/email", json=order_to(1)).raise_for_status()
        mail = keeper.mails.get(timeout=LIMIT)
    file = run.folder / "example.eml"
    file.write_bytes(mail.replace(b"\r\n", b"\n"))
    return file
