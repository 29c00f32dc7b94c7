"""A real Postfix on the loopback interface, for tests that need a relay which is not ours.

    test ──SMTP──> Postfix ──┬── x@ok.test, x in users ── stored in x's maildir
      ^                      ├── x@ok.test, otherwise ─── DSN: failed, 5.1.1
      │                      └── any other domain ─────── DSN: failed, 5.4.4
      └──LMTP or SMTP── whatever is mailed to the return path's domain, such as those DSNs

Each instance has a port and a directory of its own, with configuration, queue and log, so that several run
beside each other and beside the machine's own. It asks no DNS server and connects to nothing but the listener
of the test.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest

from bench.service import Service

ReportsScheme = Literal["lmtp", "smtp"]

START_TIMEOUT = 10.0  # seconds; it takes about 0.05
STOP_TIMEOUT = 10.0  # seconds; it takes a few milliseconds

MAIL_OWNER = "postfix"  # what every package compiles in: its daemons give up root for this user
MAILBOX_OWNER = "nobody"  # virtual(8) refuses to write mailboxes as root, and as any user id below 100
# What `postfix check` would make in the queue directory for the mail owner; `pid` stays with root.
QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop private public saved trace".split()

# service type private unprivileged chroot wakeup maxproc command: master(5)
SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# master makes itself the leader of a process group, which its daemons stay in. They are given no time to finish:
# the queue is thrown away.
RUN_WHILE_STDIN_IS_OPEN = '"$@" & read _; kill -9 $! -$!; wait'


def why_no_postfix() -> str | None:
    """The reason that Postfix cannot run here and what would help, or `None` when it can."""
    if shutil.which("postfix") is None or shutil.which("postconf") is None:
        return "Postfix is not installed: apt-get install postfix"
    if os.geteuid() != 0:
        return "Postfix needs root: its master gives each daemon a user of its own"
    return None


# A developer may do without Postfix. CI may not: there the test runs, and `running_postfix` fails it.
needs_postfix = pytest.mark.skipif(
    why_no_postfix() is not None and os.environ.get("CI") != "true", reason=why_no_postfix() or ""
)


@dataclass(frozen=True, slots=True)
class Postfix:
    """A Postfix that accepts mail on 127.0.0.1."""

    port: int
    directory: Path

    def mailbox(self, user: str) -> list[bytes]:
        """The mails delivered to `user`@ok.test, oldest first, each as stored.

        That is with LF for CRLF, and behind Return-Path, X-Original-To, Delivered-To and Received, which the
        relay adds; the mail itself it leaves alone.
        """
        arrived = [(path.stat().st_mtime_ns, path) for path in self.directory.glob(f"mail/{user}/new/*")]
        return [path.read_bytes() for _, path in sorted(arrived)]

    def log(self) -> str:
        """All that its daemons have logged until now."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextmanager
def running_postfix(
    reports_port: int,
    *,
    return_path_domain: str = "bounce.test",
    users: Sequence[str] = ("kari",),
    reports_scheme: ReportsScheme = "lmtp",
    settings: Mapping[str, str] = {},
) -> Iterator[Postfix]:
    """Run a Postfix; what is mailed to `return_path_domain` it hands to 127.0.0.1:`reports_port`.

    `settings` go into main.cf and win over ours. A mail that cannot be delivered at once is tried again
    every 2 to 3 seconds, reported as delayed after 4, and given up after 12. What the block raises carries the log.

    Raises:
        RuntimeError: it did not start; the text holds its log.
    """
    if reason := why_no_postfix():
        pytest.fail(reason, pytrace=False)
    nexthops = {"lmtp": f"lmtp:inet:127.0.0.1:{reports_port}", "smtp": f"smtp:[127.0.0.1]:{reports_port}"}
    transport = {return_path_domain: nexthops[reports_scheme]}
    # Below /tmp and not $TMPDIR: its daemons are not root and must get through to the directory.
    with TemporaryDirectory(dir="/tmp", prefix="varsel-postfix-") as name, _reserved_port() as port:
        postfix = Postfix(port=port, directory=Path(name))
        _make_directories(postfix.directory)
        _write_configuration(postfix, users, settings, transport)
        with _running_master(postfix):
            _await_greeting(postfix)
            try:
                yield postfix
            except BaseException as error:
                error.add_note(f"Postfix's log:\n{postfix.log()}")
                raise


def service_settings(reports_port: int) -> dict[str, str]:
    """What a service is told so that it takes the reports of such a Postfix, on the PostgreSQL that is tested on."""
    settings = {
        "VARSEL_REPORTS_LISTEN": f"lmtp://127.0.0.1:{reports_port}",
        "VARSEL_RETURN_PATH_DOMAIN": "bounce.test",
        "VARSEL_FROM_ADDRESS": "Etaten på Ås <post@etaten.test>",
    }
    if binaries := os.environ.get("VARSEL_TEST_PG_BIN"):
        settings["VARSEL_PG_BIN"] = binaries
    return settings


@contextmanager
def started(*services: Service) -> Iterator[None]:
    """Start processes that share a data directory, and stop them at the end; what is raised carries their log."""
    try:
        for service in services:
            service.start()
        yield
    except BaseException as error:
        error.add_note(f"The service's log:\n{services[0].log}")
        raise
    finally:
        for service in reversed(services):  # the first one runs PostgreSQL
            if service.was_spawned:
                service.stop()


def _write_configuration(
    postfix: Postfix, users: Sequence[str], settings: Mapping[str, str], transport: Mapping[str, str]
) -> None:
    files = {
        "main.cf": _entries(" = ", {**_our_settings(postfix.directory), **settings}),
        "master.cf": SERVICES.format(port=postfix.port),
        "transport": _entries(" ", transport),
        "users": _entries(" ", {f"{user}@ok.test": f"{user}/" for user in users}),
    }
    for name, content in files.items():
        path = postfix.directory / "etc" / name
        path.write_text(content)
        path.chmod(0o644)
        # Postfix rereads a file that changed this second until it has settled: two seconds of start-up.
        os.utime(path, (0, 0))


def _entries(between: str, entries: Mapping[str, str]) -> str:
    return "".join(f"{key}{between}{value}\n" for key, value in entries.items())


def _our_settings(directory: Path) -> dict[str, str]:
    owner = pwd.getpwnam(MAILBOX_OWNER)
    return {
        "compatibility_level": "3.6",
        "queue_directory": f"{directory}/queue",
        "data_directory": f"{directory}/data",
        "maillog_file": f"{directory}/log",
        "maillog_file_prefixes": f"{directory}",
        "enable_long_queue_ids": "yes",
        "myhostname": "relay.test",
        # Nothing beyond this machine is listened to, trusted, asked or mailed.
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtpd_peername_lookup": "no",
        "smtp_dns_support_level": "disabled",
        "lmtp_dns_support_level": "disabled",
        "default_transport": "error:5.4.4 Host or domain name not found",
        "transport_maps": f"texthash:{directory}/etc/transport",
        # Mailboxes. An unknown one is accepted, as by a relay that stands before the recipients' own servers.
        "mydestination": "",
        "alias_maps": "",
        "local_recipient_maps": "",
        "local_transport": "error:5.1.1 User unknown",
        "smtpd_reject_unlisted_recipient": "no",
        "virtual_mailbox_domains": "ok.test",
        "virtual_mailbox_maps": f"texthash:{directory}/etc/users",
        "virtual_mailbox_base": f"{directory}/mail",
        "virtual_uid_maps": f"static:{owner.pw_uid}",
        "virtual_gid_maps": f"static:{owner.pw_gid}",
        # The mail itself stays as it came, even from this machine.
        "local_header_rewrite_clients": "",
        # Fates within seconds that take hours in production, and no word about them to a postmaster.
        "queue_run_delay": "1s",
        "minimal_backoff_time": "2s",
        "maximal_backoff_time": "3s",
        "transport_retry_time": "1s",
        "delay_warning_time": "4s",
        "maximal_queue_lifetime": "12s",
        "bounce_queue_lifetime": "12s",
        "in_flow_delay": "0s",
        "notify_classes": "",
    }


def _make_directories(directory: Path) -> None:
    owners = dict.fromkeys(("etc", "queue", "queue/pid"), "root")
    owners |= dict.fromkeys(("data", *(f"queue/{queue}" for queue in QUEUES)), MAIL_OWNER)
    owners |= {"mail": MAILBOX_OWNER}
    directory.chmod(0o755)
    for name, owner in owners.items():
        (directory / name).mkdir()
        (directory / name).chmod(0o755 if owner == "root" else 0o700)  # whatever the umask is
        shutil.chown(directory / name, owner)


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody else is given in the meantime.

    A socket that is bound but does not listen keeps the kernel from choosing it again; with SO_REUSEADDR on
    both sides (Postfix sets it) whoever asks for this very port may still listen on it.
    """
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield holder.getsockname()[1]


@contextmanager
def _running_master(postfix: Postfix) -> Iterator[None]:
    """Run master(8), the parent of all daemons, and leave none of them behind, even if this process is killed."""
    etc = str(postfix.directory / "etc")
    postconf = ["postconf", "-c", etc, "-h", "daemon_directory"]
    master = f"{subprocess.check_output(postconf, text=True).strip()}/master"
    shell = subprocess.Popen(
        ["sh", "-c", RUN_WHILE_STDIN_IS_OPEN, "sh", master, "-c", etc, "-s"],  # -s: leave stdout alone
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # Closes stdin, and waits for the end of stdout. Every daemon holds that, though none writes there: so the
        # last one is gone, and none makes a file in a directory that is being removed.
        shell.communicate(timeout=STOP_TIMEOUT)


def _await_greeting(postfix: Postfix) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and " fatal: " not in postfix.log():
        with suppress(OSError), socket.create_connection(("127.0.0.1", postfix.port), timeout=1) as client:
            if client.recv(4) == b"220 ":
                return
        time.sleep(0.01)
    raise RuntimeError(f"Postfix did not start; what it cannot log here is in syslog:\n{postfix.log()}")
