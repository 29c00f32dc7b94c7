"""An API under load by wrk, and what the processes take meanwhile."""

from bench.figure import number
from bench.processes import CoresTaken, PeakMemory
from bench.run import Run
from bench.service import Service
from bench.wrk import Answers, Load


class Loaded:
    """A load on one API, and what the processes took meanwhile."""

    def __init__(self, run: Run, load: Load, service: Service) -> None:
        self._run = run
        self._load = load
        self._service = service
        self._answers: list[Answers] = []
        self._cores: list[dict[str, float]] = []
        self._peak = PeakMemory(service.pid)

    def rate(self) -> float:
        """Answers a second of one round."""
        cores = CoresTaken(varsel=self._service.pid, postgres=self._run.databases.pid)
        answers = self._load.run(self._run.length.seconds)
        self._answers.append(answers)
        self._cores.append({**cores.now(), "wrk": answers.generator})
        return answers.rate

    def beside(self) -> dict[str, str]:
        """Of the last round: latencies, cores; of all: peak memory."""
        answers = self._answers[-1]
        return {
            "p50 ms": number(answers.p50),
            "p99 ms": number(answers.p99),
            "cores": ", ".join(f"{name} {cores:.2f}" for name, cores in self._cores[-1].items()),
            "peak MB": number(self._peak.megabytes()),
        }
