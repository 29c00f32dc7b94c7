"""A bare SMTP transaction on a kept connection: what no service could be faster than."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from bench.unsound import Unsound

COMMANDS = b"MAIL FROM:<noreply@etaten.no>\r\nRCPT TO:<bare+%d@innbygger.no>\r\nDATA\r\n"


def bare_transactions(port: int, message: Path, *, a_second: float, seconds: float) -> Sequence[float]:
    """Seconds from the commands, sent in one packet (RFC 2920), to the 250, one transaction at a time."""
    content = message.read_bytes().replace(b"\n", b"\r\n") + b".\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as replies:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _expect(replies, b"220")
        connection.sendall(b"EHLO etaten.no\r\n")
        _expect(replies, b"250")
        times = []
        for number in range(round(a_second * seconds)):
            began_at = time.perf_counter()
            connection.sendall(COMMANDS % number)
            for code in (b"250", b"250", b"354"):
                _expect(replies, code)
            connection.sendall(content)
            _expect(replies, b"250")
            times.append(time.perf_counter() - began_at)
            time.sleep(1 / a_second)
    return times


def _expect(replies: BinaryIO, code: bytes) -> None:
    """Read one reply, which may have several lines."""
    while True:
        line = replies.readline()
        if not line.startswith(code):
            raise Unsound(f"the relay answered {line!r} instead of {code!r}")
        if line[3:4] != b"-":
            return
