"""What in a report names the mail that it is about, beside the return path that it came to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from varsel.delivery_reports.addresses import addresses_in
from varsel.delivery_reports.complaint import Complaint
from varsel.delivery_reports.dsn import Dsn

REFERENCES_LIMIT = 20  # of each kind
LENGTH_LIMIT = 998  # characters (RFC 5322 section 2.1.1)

# Where a report's own header, or that of the mail inside it, shows the return path.
_RETURN_PATH_FIELDS = ("return-path", "x-envelope-from", "x-original-return-path")
_ARRIVAL_FIELDS = ("to", "delivered-to", "x-original-to", "envelope-to")


@dataclass(frozen=True, slots=True)
class References:
    """What else names the mail that a report is about. Nobody has signed it; all of it may be made up."""

    return_paths: tuple[str, ...] = ()  # addresses that may be return paths of ours
    envelope_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()  # without angle brackets
    recipients: tuple[str, ...] = ()  # Original-Recipient first, then Final-Recipient and the like


def references_of(
    fields: Mapping[str, str], quoted: Sequence[Mapping[str, str]], complaint: Complaint | None, dsn: Dsn | None
) -> References:
    """From a report's own header, the headers of the mails inside it, and what was read of it."""
    paths = [head.get(name, "") for head in quoted for name in _RETURN_PATH_FIELDS]
    paths += [complaint.return_path or ""] if complaint else []
    paths += [fields.get(name, "") for name in _ARRIVAL_FIELDS]
    ids = [head.get("message-id", "") for head in quoted]
    ids += [fields.get("in-reply-to", ""), *reversed(fields.get("references", "")[-LENGTH_LIMIT:].split())]
    return References(
        return_paths=_each_once(address for path in paths for address in addresses_in(path[:LENGTH_LIMIT])),
        envelope_ids=_each_once([dsn.envelope_id or ""] if dsn else []),
        message_ids=_each_once(_message_id(value) for value in ids),
        recipients=_each_once(_recipients(fields, complaint, dsn)),
    )


def _recipients(fields: Mapping[str, str], complaint: Complaint | None, dsn: Dsn | None) -> list[str]:
    reports = dsn.reports if dsn else ()
    return [
        *(report.original_recipient or "" for report in reports),
        *(complaint.recipients if complaint else ()),
        *(report.recipient or "" for report in reports),
        *addresses_in(fields.get("x-failed-recipients", "")[:LENGTH_LIMIT]),
    ]


def _message_id(value: str) -> str:
    """What stands in angle brackets, where there are any."""
    _, bracket, rest = value.partition("<")
    return (rest.partition(">")[0] if bracket else value).strip()


def _each_once(values: Iterable[str]) -> tuple[str, ...]:
    kept = dict.fromkeys(value[:LENGTH_LIMIT] for value in values if value)
    return tuple(kept)[:REFERENCES_LIMIT]
