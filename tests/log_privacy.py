"""What no log line may hold, and the search for it in the files of a test run.

It is a search for what looks like it: an address where something stands on both sides of an @, a number by its
digits alone, whatever its check digits say. What our own lines hold besides looks different: ids are UUIDs, times and
durations have a point or a colon, addresses in memory an x.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = "unloggable"  # a word of every subject and body that the factories make

# A number of its own: no part of a word, such as the groups of a UUID, nor of a decimal fraction.
_BEGIN, _END = r"(?<![^\W_])(?<!\.)", r"(?![^\W_])(?!\.\d)"

_KINDS = {
    # Also in quotes, escaped, %-encoded, and as VERP and quoted-printable have it; user:password@host is caught too.
    "an e-mail address": re.compile(r"[^\s@](?:[@＠]|%40|\\x40|\\u0040)[\[\\\w]|\w=40[\w-]+\.[a-z]", re.IGNORECASE),
    "an identity number": re.compile(rf"{_BEGIN}\d{{6}}[ \xa0-]?\d{{5}}{_END}"),
    "an organisation number": re.compile(
        rf"{_BEGIN}(?:NO ?)?(?:\d{{9}}|\d{{3}}[ \xa0]\d{{3}}[ \xa0]\d{{3}})(?: ?MVA)?{_END}"
    ),
    "a token": re.compile(r"eyJ[\w-]{10}|\bbearer\s+[\w.~+/-]{16}", re.IGNORECASE),
    "a subject or body": re.compile(MARKER, re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in one log line that must not be there."""

    kind: str
    event: str  # what the line is about; empty for one that is not JSON
    key: str  # beside which the thing stands
    file: Path
    line: int

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{self.kind} in {self.key!r} of {self.event!r}: {where}" if self.event else f"{self.kind}: {where}"


def findings_in(folder: Path) -> list[Finding]:
    """All that must not be in the log files of this folder."""
    return [
        Finding(kind, event, key, file, number)
        for file in sorted(folder.glob("*.log"))
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for kind, event, key in _kinds_in(line)
    ]


def _kinds_in(line: str) -> Iterator[tuple[str, str, str]]:
    """Kind, event and key; each kind once a key."""
    facts = _facts_of(line)
    event = str(facts.get("event", ""))
    found = [(kind, event, key) for key, text in _texts("", facts) for kind in kinds_of(text)]
    yield from dict.fromkeys(found)


def _facts_of(line: str) -> dict[str, Any]:
    """What a line says; one that is not JSON, such as what a command says on stderr, says itself."""
    try:
        facts = json.loads(line)
    except ValueError:
        return {"": line}
    return facts if isinstance(facts, dict) else {"": line}


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every name and value in it, as a reader of the decoded JSON sees it, with the key that it stands beside."""
    match value:
        case dict():
            for name, inner in value.items():
                yield name, name
                yield from _texts(name, inner)
        case list():
            for inner in value:
                yield from _texts(key, inner)
        case _:
            yield key, str(value)


def kinds_of(text: str) -> list[str]:
    """What is in a text that must not be logged."""
    return [kind for kind, looks_like in _KINDS.items() if looks_like.search(text)]
