"""The processes of the kill test as production has them: a database, two APIs, two workers, each restarted at once."""

import random
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import chaos_conditions, chaos_register
from bench.chaos_database import Database
from bench.service import STOP_LIMIT, Service

APIS = 2
WORKERS = 2
SMTP_CONNECTIONS = 8  # of each worker
IN_FLIGHT = 3 * SMTP_CONNECTIONS  # mails that one worker may have handed over and not recorded
# Below the range from which the kernel takes ports for clients: none may sit on ours while a service restarts.
PORTS = range(21_000, 29_000)
LOOK = 0.02  # seconds between two looks at the processes
START_LIMIT = 60.0  # seconds, the database's recovery included
STARTS_IN_VAIN = 30  # of one service in a row, each of which takes about a second


@dataclass(frozen=True, slots=True)
class Ports:
    """Which stay the same over every restart."""

    apis: Sequence[int]
    listeners: Sequence[int]  # of the workers, for reports
    register: int
    conditions: int


@dataclass(slots=True)
class Process:
    """One service, and how often it started without getting there."""

    name: str
    service: Service
    in_vain: int = 0


class Fleet:
    """Everything but the relay and those who are asked; used from the main thread."""

    def __init__(self, folder: Path, ports: Ports, relay_port: int) -> None:
        self.database = Database(folder / "database")
        self.went_by_itself: list[str] = []  # services that had started, and ended though nobody asked them to
        self._folder = folder
        self._relay_port = relay_port
        self._asking = _asking(ports)
        self.apis = [self._process(f"api-{n}", "api", "--port", str(port)) for n, port in enumerate(ports.apis, 1)]
        self.workers = [
            self._process(f"worker-{n}", "worker", VARSEL_REPORTS_LISTEN=f"lmtp://127.0.0.1:{port}")
            for n, port in enumerate(ports.listeners, 1)
        ]

    def _process(self, name: str, role: str, *arguments: str, **settings: str) -> Process:
        folder = self._folder / name
        folder.mkdir()
        settings |= {
            "VARSEL_DATABASE_URL": self.database.dsn,
            "VARSEL_SMTP_CONNECTIONS": str(SMTP_CONNECTIONS),
            "VARSEL_RETRY_FIRST": "1",
            "VARSEL_IN_DOUBT_WAIT": "5",
            **self._asking,
        }
        return Process(name, Service(folder, self._relay_port, "--role", role, *arguments, **settings))

    @property
    def processes(self) -> Sequence[Process]:
        """All services."""
        return [*self.apis, *self.workers]

    def start(self) -> None:
        """Start everything and wait until it answers."""
        self.database.start()
        self.processes[0].service.start()  # alone, so that one makes the schema
        for process in self.processes[1:]:
            process.service.start()

    def stop(self) -> None:
        """End everything, however far it got."""
        for process in self.processes:
            if process.service.was_spawned:
                process.service.signal(signal.SIGCONT)
                process.service.stop()
        self.database.stop()

    def look_after(self, seconds: float) -> None:
        """Let time pass; what ends by itself is started again, as a service manager does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.restart_ended()
            time.sleep(LOOK)

    def restart_ended(self) -> None:
        """Start again what has ended by itself; without the database, a service that starts may."""
        for process in self.processes:
            service = process.service
            if service.exit_code is None:
                continue
            if service.has_started:
                words = service.last_words.decode(errors="replace").strip().splitlines()
                self.went_by_itself.append(f"{process.name}, exit code {service.exit_code}: {words[-1:]}")
            self.respawn(process)

    def respawn(self, process: Process) -> None:
        """Start a service that has ended; returns at once.

        Raises:
            RuntimeError: it has ended too often before it had started.
        """
        process.in_vain = 0 if process.service.has_started else process.in_vain + 1
        if process.in_vain > STARTS_IN_VAIN:
            raise RuntimeError(f"{process.name} does not start: see {process.service.log_file}")
        process.service.spawn()

    def wait_until_started(self, *wanted: Process) -> None:
        """Look after all until these have started.

        Raises:
            TimeoutError: one does not.
        """
        deadline = time.monotonic() + START_LIMIT
        while not all(process.service.has_started for process in wanted):
            if time.monotonic() > deadline:
                names = [process.name for process in wanted if not process.service.has_started]
                raise TimeoutError(f"not started after {START_LIMIT:.0f} s: {', '.join(names)}")
            self.look_after(LOOK)

    def terminate(self, process: Process) -> float:
        """SIGTERM, and SIGKILL where that is not enough; returns the seconds that it took."""
        began_at = time.monotonic()
        process.service.signal(signal.SIGTERM)
        while process.service.exit_code is None and time.monotonic() < began_at + STOP_LIMIT:
            time.sleep(LOOK)
        took = time.monotonic() - began_at
        process.service.kill()
        return took


def _asking(ports: Ports) -> dict[str, str]:
    """Whom the services ask, and how patiently."""
    register = f"http://127.0.0.1:{ports.register}"
    return {
        "VARSEL_CONTACT_REGISTER": "http",
        "VARSEL_PROFILE_URL": register + chaos_register.PROFILE_PATH,
        "VARSEL_REGISTER_URL": register + chaos_register.REGISTER_PATH,
        "VARSEL_REGISTER_TIMEOUT": f"{chaos_register.TIMEOUT:g}",
        "VARSEL_CONDITION_HOSTS": f"{chaos_conditions.HOST}=http://127.0.0.1:{ports.conditions}",
        "VARSEL_CONDITION_TIMEOUT": f"{chaos_conditions.TIMEOUT:g}",
        "VARSEL_CONDITION_RETRY": "1",
        # Else an order whose endpoint says no could be sent with no fault of ours, and nothing could be checked.
        "VARSEL_CONDITION_UNANSWERED": "withhold",
    }


def choose_ports() -> Ports:
    """Ports for all of them."""
    [register, conditions, *others] = free_ports(2 + APIS + WORKERS)
    return Ports(others[:APIS], others[APIS:], register, conditions)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, and that no client of anybody is given."""
    # Not by the seed: two runs on one machine must not meet.
    free = [port for port in random.sample(PORTS, 100) if _is_free(port)]
    if len(free) < count:
        raise RuntimeError(f"no free ports in {PORTS}")
    return free[:count]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
