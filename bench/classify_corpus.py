"""How many mails of a corpus are read as its key says: `python -m bench.classify_corpus PATH [--misses]`.

PATH holds folders with a key.tsv each: file, recipient, `want` (the status it must give), `accept` (others that count
as acceptable, with | between them). `-` or `none` in `want` stands for "no change". A row is right if any line
for its file has the value; two recipients of one mail may therefore be told apart or not.
"""

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

from varsel.delivery_reports.read import Reading, read_report

NO_CHANGE = "none"


@dataclass(frozen=True)
class Row:
    """One line of a key, and what the mail was read as."""

    file: Path
    recipient: str
    want: str
    accept: frozenset[str]
    readings: Sequence[Reading]

    @property
    def outcomes(self) -> list[str]:
        return [str(reading.outcome) for reading in self.readings]

    @property
    def is_exact(self) -> bool:
        return self.want in self.outcomes

    @property
    def is_acceptable(self) -> bool:
        return self.is_exact or not self.accept.isdisjoint(self.outcomes)

    @property
    def finds_recipient(self) -> bool:
        return any((reading.recipient or "").lower() == self.recipient.lower() for reading in self.readings)

    @property
    def answer(self) -> str:
        """The value that it is scored by: the right one if there is any."""
        fitting = [outcome for outcome in self.outcomes if outcome == self.want]
        return (fitting or [outcome for outcome in self.outcomes if outcome in self.accept] or self.outcomes)[0]

    @property
    def half(self) -> int:
        """Which half of the corpus it is in, by its name: one to tune on, one to check against."""
        return md5(self.file.name.encode(), usedforsecurity=False).digest()[0] & 1


def main() -> None:
    """Score every folder under the path that has a key."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--misses", action="store_true", help="list every row that is not exact, with the rule")
    options = parser.parse_args()
    for key in sorted({*options.corpus.glob("key.tsv"), *options.corpus.glob("*/key.tsv")}):
        rows = list(read_rows(key))
        print(f"\n{key.parent.name}: {len(rows)} rows")
        _print_shares(rows)
        _print_confusion(rows)
        if options.misses:
            _print_misses(rows)


def read_rows(key: Path) -> Iterable[Row]:
    """The rows of a key; its mails lie beside it, or in a folder below."""
    paths = {path.name: path for path in key.parent.rglob("*") if path.is_file()}
    readings: dict[str, Sequence[Reading]] = {}
    with key.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            name = line["file"]
            if name not in readings:
                readings[name] = read_report(paths[name].read_bytes()).readings
            accept = frozenset((line["accept"] or "").split("|")) - {"", "-"}
            want = NO_CHANGE if line["want"] in ("-", NO_CHANGE) else line["want"]
            yield Row(paths[name], line["recipient"] or "", want, accept, readings[name])


def _print_shares(rows: Sequence[Row]) -> None:
    _print_share("all", rows)
    for half in (0, 1):
        _print_share(f"half {half}", [row for row in rows if row.half == half])
    _print_share("failures", [row for row in rows if row.want.startswith("Failed")])
    for want in sorted({row.want for row in rows}):
        _print_share(want, [row for row in rows if row.want == want])
    wrong = [row for row in rows if not row.want.startswith("Failed") and any("Failed" in one for one in row.outcomes)]
    # A file with several recipients may well hold a failure beside a delay.
    alone = [row for row in wrong if not any(other.file == row.file and "Failed" in other.want for other in rows)]
    print(f"  failure status where there is none: {len(alone)}")
    named = [row for row in rows if row.recipient]
    print(f"  recipient found: {_percent(sum(row.finds_recipient for row in named), len(named))}")


def _print_share(name: str, rows: Sequence[Row]) -> None:
    exact, acceptable = sum(row.is_exact for row in rows), sum(row.is_acceptable for row in rows)
    shares = f"exact {_percent(exact, len(rows))}  acceptable {_percent(acceptable, len(rows))}"
    print(f"  {name:32} {len(rows):4}  {shares}")


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:5.1f} %" if total else "    –  "


def _print_confusion(rows: Sequence[Row]) -> None:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        table[row.want][row.answer] += 1
    print("  wanted -> answered")
    for want, answers in sorted(table.items()):
        print(f"    {want:30} " + ", ".join(f"{answer} {count}" for answer, count in answers.most_common()))


def _print_misses(rows: Sequence[Row]) -> None:
    for row in rows:
        if not row.is_exact:
            mark = "near" if row.is_acceptable else "MISS"
            print(f"  {mark} {row.half} {row.file.name} wants {row.want}")
            for reading in row.readings[:3]:
                print(f"         {reading.outcome} by {reading.rule}: {reading.detail[:150]!r}")


if __name__ == "__main__":
    main()
