"""Read mails from files and say what each is taken for: the reports' classifier by hand, without a database."""

import json
from collections.abc import Iterable, Iterator

from varsel.delivery_reports.conversation import KEPT_LIMIT
from varsel.delivery_reports.read import Reading, read_report


def classify_files(names: Iterable[str]) -> Iterator[str]:
    """A line of JSON for each file and recipient, at least one for each file; whatever the files hold."""
    for name in names:
        for reading in _readings_of(name):
            fields = {
                "file": name,
                "recipient": reading.recipient,
                "outcome": reading.outcome,
                "rule": reading.rule,
                "detail": reading.detail,
            }
            # In ASCII, since a name that is no UTF-8 can be printed in no other way (PEP 383).
            yield json.dumps(fields, ensure_ascii=True)


def _readings_of(name: str) -> tuple[Reading, ...]:
    try:
        with open(name, "rb") as file:
            return read_report(file.read(KEPT_LIMIT)).readings
    except (OSError, ValueError) as error:
        # ValueError: a name with a NUL in it.
        why = getattr(error, "strerror", None) or str(error)
        return (Reading(None, "none", f"file cannot be read: {why}", ""),)
