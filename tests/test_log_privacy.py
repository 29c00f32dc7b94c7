"""The search of a run's log lines: what it finds and what it leaves alone."""

import json
from pathlib import Path

import pytest

from tests.log_privacy import MARKER, findings_in, kinds_of

JWT = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln"
ADDRESS, IDENTITY, ORGANISATION, TOKEN, TEXT = (
    "an e-mail address",
    "an identity number",
    "an organisation number",
    "a token",
    "a subject or body",
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ADDRESS, "kari@etat.test"),
        (ADDRESS, "550 5.1.1 <kari@etat.test>: no such user"),
        (ADDRESS, '"Kari Nordmann"@etat.test'),
        (ADDRESS, "ukjent-på-øya@blåbær.no"),
        (ADDRESS, "kari@localhost"),
        (ADDRESS, "kari@[127.0.0.1]"),
        (ADDRESS, r"b'k\xc3\xa5ri@\xc3\xa5s.test'"),
        (ADDRESS, r'{"to": "kari\u0040etat.test"}'),
        (ADDRESS, "GET /suppressions?address=kari%40etat.test"),
        (ADDRESS, "b+kari=40etat.test"),
        (ADDRESS, "b+7.x@bounce.varsel.test"),
        (ADDRESS, "postgresql://varsel:hemmelig@server/varsel"),
        (IDENTITY, "01019012345"),
        (IDENTITY, "urn:altinn:person:identifier-no:01019012345"),
        (IDENTITY, "person_01019012345."),
        (IDENTITY, "010190 12345"),
        (IDENTITY, "010190-12345"),
        (ORGANISATION, "991825827"),
        (ORGANISATION, "0192:991825827"),
        (ORGANISATION, "991 825 827"),
        (ORGANISATION, "NO991825827MVA"),
        (ORGANISATION, "{'ID': '0192:991825827'}"),
        (TOKEN, JWT),
        (TOKEN, f"b'Authorization: Bearer {JWT}'"),
        (TOKEN, "bearer 3b9ff2a0c4e14f0d"),
        (TEXT, f"Failing row contains (Hei, {MARKER.upper()}!)"),
    ],
)
def test_what_no_line_may_hold_is_found(kind: str, text: str) -> None:
    assert kind in kinds_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "01a223b9-76b1-797a-b9c2-bd555e0bf45f",
        "12345678-1234-7123-8123-123456789012",
        "test_01234567890123456789012345678901",
        "2026-11-28T19:54:46.123456Z",
        "took 0.123456789 s, of 12.34567890123",
        "1700000000 1700000000000 1700000000000000000",
        "127.0.0.1:54321 [::1]:54321",
        "<Task pending name='Task-12' coro=<run() running at /srv/worker.py:158> wait_for=<Future at 0x712345678901>>",
        "/tmp/varsel-serve-12345678/postgres/data-18.unusable-1700000000000000000",
        "2026-11-28 19:54:46.123 UTC [1234567] LOG:  redo starts at 0/123456789A",
        "postgresql://varsel@/varsel?host=/tmp/varsel-1&port=5432",
        "timeout=400 @ 12345 bytes",
        "no bearer token was given",
    ],
)
def test_what_lines_hold_besides_is_left_alone(text: str) -> None:
    assert kinds_of(text) == []


@pytest.mark.parametrize(
    ("line", "event", "key"),
    [
        ({"event": "report refused", "to": "k\xe5ri@etat.test"}, "report refused", "to"),
        ({"event": "report refused", "to": [{"of": ["kari@etat.test"]}]}, "report refused", "of"),
        ({"event": "report refused", "kari@etat.test": 1}, "report refused", "kari@etat.test"),
        ({"event": "refused kari@etat.test"}, "refused kari@etat.test", "event"),
        ("varsel: kari@etat.test is unknown", "", ""),
        (["kari@etat.test"], "", ""),
    ],
)
def test_it_is_found_wherever_it_stands_in_a_line(line: object, event: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "gw0.log"
    file.write_text(f"{{}}\n{line if isinstance(line, str) else json.dumps(line)}\n")

    [finding] = findings_in(tmp_path)

    assert (finding.kind, finding.event, finding.key, finding.file, finding.line) == (ADDRESS, event, key, file, 2)


def test_numbers_are_found_that_are_no_strings(tmp_path: Path) -> None:
    (tmp_path / "gw0.log").write_text('{"event": "looked up", "who": 11019012345, "of": 991825827}\n')

    assert [finding.kind for finding in findings_in(tmp_path)] == [IDENTITY, ORGANISATION]
