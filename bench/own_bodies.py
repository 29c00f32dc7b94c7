"""`varsel` with a body of its own for each recipient, through the seam that keywords will use.

    python -m bench.own_bodies serve --dev

Each message is rendered anew, and says whom it is for.
"""

from dataclasses import replace

from varsel.cli import main
from varsel.notifications import send
from varsel.notifications.compose import Content, render
from varsel.notifications.rendered_messages import Message
from varsel.notifications.send_status import Claim


def own_body(content: Content) -> Message:
    """A message whose body names its recipient."""

    def message(claim: Claim) -> bytes:
        return render(replace(content, body=f"{content.body}\nTil {claim.recipient_address}"))

    return message


if __name__ == "__main__":
    assert send.Sender.__init__.__defaults__ is not None
    send.Sender.__init__.__defaults__ = (own_body,)  # what `prepare` is where nobody says
    main()
