"""The benchmark suite: starts everything by itself, prints each figure as it comes, and writes results.md and .json.

    make bench [ONLY=get,post] [QUICK=1]
    make bench-growth [QUICK=1]
    make bench-soak [MINUTES=10]

A section that is unsound says why, in its place; the exit code is then 1.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType

from bench import get_status, growth, handover, memory, post_order, reports, sending, soak, two_apis
from bench.databases import Databases
from bench.figure import Figure
from bench.machine import conditions
from bench.processes import CoresIdle, CoresTaken
from bench.results import Results
from bench.run import QUICK, USUAL, Run, say
from bench.tool import require_tools
from bench.unsound import Unsound
from varsel.logs import configure_logs

LOOK = 1.0  # seconds
DISTURBING = 0.1  # cores

Measure = Callable[[Run], Iterator[Figure]]

SECTIONS: Mapping[str, Measure] = MappingProxyType(
    {
        "get": get_status.measure,
        "post": post_order.measure,
        "handover": handover.measure,
        "sending": sending.measure,
        "sending-10ms": sending.measure_distant,
        "reports": reports.measure,
        "memory": memory.measure,
        "two-apis": two_apis.measure,
    }
)
# These take long, so only who names them gets them.
MORE_SECTIONS: Mapping[str, Measure] = MappingProxyType({"growth": growth.measure, "soak": soak.measure})
ALL_SECTIONS = {**SECTIONS, **MORE_SECTIONS}


def main() -> int:
    """Run it; 1 where a figure is missing or unsound."""
    options = _options()
    configure_logs("WARNING")  # of the code of ours that runs in this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything we have started is ended
    try:
        require_tools()
    except Unsound as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="varsel-bench-", dir=options.folder))
    folder.chmod(0o711)  # where we are root the database's user must be able to pass
    try:
        return _run_sections(options, folder)
    finally:
        shutil.rmtree(folder)


def _run_sections(options: argparse.Namespace, folder: Path) -> int:
    results = Results("results-quick" if options.quick else "results", order=tuple(ALL_SECTIONS))
    is_sound = True
    with ExitStack() as stack:
        databases = Databases(folder / "database")
        databases.start()
        stack.callback(databases.stop)
        run = Run(folder, databases, QUICK if options.quick else USUAL, options.minutes)
        under = conditions(databases)
        for section in options.only:
            is_sound &= _run_section(run, section, results, under)
    return 0 if is_sound else 1


def _run_section(run: Run, section: str, results: Results, under: Mapping[str, str]) -> bool:
    """Whether all its figures are there. What spoils one section says nothing about the next."""
    say(f"-- {section}")
    figures = []
    unsound = ""
    disturbance = _disturbance()
    try:
        for figure in ALL_SECTIONS[section](run):
            say(figure)
            figures.append(figure)
    except Unsound as error:
        unsound = str(error)
    except Exception as error:
        unsound = f"{type(error).__name__}: {error}"
        traceback.print_exc()
    if unsound:
        print(f"bench: {section}: {unsound}", file=sys.stderr, flush=True)
    results.put(section, {**under, **disturbance}, figures, unsound)
    return not unsound


def _disturbance() -> Mapping[str, str]:
    """What others take of the machine, where that is worth a word."""
    idle, ours = CoresIdle(), CoresTaken(ours=os.getpid())  # the server is our child
    time.sleep(LOOK)
    taken = (os.cpu_count() or 1) - idle.now() - ours.now()["ours"]
    if taken < DISTURBING:
        return {}
    say(f"careful: before this section begins, others take {taken:.2f} cores of this machine")
    return {"others took": f"{taken:.2f} cores before it began"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", type=_sections, default=tuple(SECTIONS), help=f"some of {','.join(ALL_SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="see that everything works; the numbers are worth little")
    parser.add_argument("--minutes", type=float, default=10.0, help="of soaking")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (the system's place for temporary files)")
    return parser.parse_args()


def _sections(text: str) -> tuple[str, ...]:
    names = tuple(word.strip() for word in text.split(","))
    for name in names:
        if name not in ALL_SECTIONS:
            raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(ALL_SECTIONS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
