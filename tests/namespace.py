"""A namespace for tests that need name resolution and port 25: a loopback, a resolv.conf and processes of its own.

    test ── run_in_namespace ──> unshare ──> python -m MODULE FOLDER     its process number 1
                                             ├── settle_in()             as the first thing
                                             └── whatever it starts      dies with it, in whatever way it ends

Nothing in it reaches the network or the loopback of the machine, nor is reached from there; files are shared.
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
UNSHARE = "unshare --net --mount --pid --fork --kill-child --mount-proc".split()
GOODBYE_LIMIT = 10.0  # seconds for the module to put away what it has made; it takes half of one

SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916  # linux/sockios.h
IFF_UP = 1  # linux/if.h
INTERFACE_FLAGS = struct.Struct("16sH14x")  # struct ifreq, as far as it concerns flags
INTERFACE_ADDRESS = struct.Struct("16sH2x4s16x")  # and an address


def why_no_namespace() -> str | None:
    """The reason that no namespace can be made here and what would help, or `None` when it can."""
    if os.geteuid() != 0:
        return "a namespace with a network and a resolv.conf of its own needs root"
    if shutil.which("unshare") is None:
        return "unshare is not installed: apt-get install util-linux"
    attempt = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True)
    if attempt.returncode != 0:
        return f"this root may not make namespaces (CAP_SYS_ADMIN): {attempt.stderr.strip()}"
    return None


# A developer may do without. CI may not: there the test runs, and `run_in_namespace` fails it.
needs_namespace = pytest.mark.skipif(
    why_no_namespace() is not None and os.environ.get("CI") != "true", reason=why_no_namespace() or ""
)


def run_in_namespace(module: str, folder: Path, *, limit: float) -> None:
    """Run `python -m module folder` in a namespace of its own; when this returns, nothing runs there any more.

    Raises:
        RuntimeError: it failed, or did not end within `limit` seconds; the text is what it printed.
    """
    if reason := why_no_namespace():
        pytest.fail(reason, pytrace=False)
    output = folder / "output"
    with (
        output.open("wb") as printed,
        subprocess.Popen(
            [*UNSHARE, sys.executable, "-m", module, str(folder)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=printed,
            start_new_session=True,  # Ctrl-C is for us, and for it the end of stdin is
        ) as process,
    ):
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(limit)
        finally:
            _end(process)
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed in its namespace:\n{output.read_text(encoding='utf-8', errors='replace')}")


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(GOODBYE_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()  # and with it, by --kill-child, all of the namespace


def settle_in(folder: Path) -> None:
    """Inside: bring the loopback up, have names asked of 127.0.0.1 only, and end with the test."""
    if os.getpid() != 1:
        raise RuntimeError("only in a namespace: out here this would change the machine")
    _bring_up("lo")
    configuration = folder / "resolv.conf"
    configuration.write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", configuration, "/etc/resolv.conf"], check=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born ignoring it
    threading.Thread(target=_interrupt_when_stdin_ends, daemon=True).start()


def take_address(address: str) -> None:
    """Inside: have an IPv4 address beside those of the loopback, whoever has it outside."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = f"lo:{address.rpartition('.')[2]}".encode("ascii")
        fcntl.ioctl(any_socket, SIOCSIFADDR, INTERFACE_ADDRESS.pack(name, socket.AF_INET, socket.inet_aton(address)))


def _bring_up(interface: str) -> None:
    name = interface.encode("ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, INTERFACE_FLAGS.pack(name, 0))
        _, flags = INTERFACE_FLAGS.unpack(answer[: INTERFACE_FLAGS.size])
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, INTERFACE_FLAGS.pack(name, flags | IFF_UP))


def _interrupt_when_stdin_ends() -> None:
    """The test is gone, by Ctrl-C or kill -9: stop as at Ctrl-C, so that files are removed too."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)
