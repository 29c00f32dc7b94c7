"""`varsel classify`: a line of JSON for each mail and recipient, without a database or settings."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.delivery_reports.samples import new_answer, new_complaint, new_dsn, recipient_fields
from varsel.cli import main
from varsel.delivery_reports.conversation import KEPT_LIMIT

FIELDS = {"file", "recipient", "outcome", "rule", "detail"}


def classify(capsys: pytest.CaptureFixture[str], *files: object) -> list[dict[str, Any]]:
    main(["classify", *map(str, files)])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def stored(folder: Path, content: bytes, name: str = "mail.eml") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    ("content", "outcome", "recipient"),
    [
        (new_dsn(recipient_fields()), "Failed_Bounced", "kari@etat.test"),
        (new_dsn(recipient_fields("relayed", "2.0.0", "smtp; 250 OK")), "Delivered", "kari@etat.test"),
        (new_dsn(recipient_fields("delayed", "4.4.1")), "none", "kari@etat.test"),
        (new_complaint(), "complaint", "kari@etat.test"),
        (new_answer(subject="Out of office"), "none", "kari@etat.test"),
        (b"\xff\x00", "none", None),
        (b"", "none", None),
    ],
)
def test_a_mail_is_told_as_what_it_is_taken_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, outcome: str, recipient: str | None
) -> None:
    file = stored(tmp_path, content)

    [line] = classify(capsys, file)

    assert set(line) == FIELDS
    assert (line["file"], line["outcome"], line["recipient"]) == (str(file), outcome, recipient)
    assert line["rule"]


def test_every_recipient_and_every_file_has_a_line_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = new_dsn(recipient_fields(), recipient_fields("delayed", "4.4.1").replace(b"kari@", b"ola@"))
    files = [stored(tmp_path, two, "b.eml"), stored(tmp_path, b"Hei", "a.eml")]

    lines = classify(capsys, *files)

    assert [(Path(line["file"]).name, line["recipient"]) for line in lines] == [
        ("b.eml", "kari@etat.test"),
        ("b.eml", "ola@etat.test"),
        ("a.eml", None),
    ]


@pytest.mark.parametrize("name", ["missing.eml", ".", "a\0b"])
def test_a_file_that_cannot_be_read_says_so_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    good = stored(tmp_path, new_dsn(recipient_fields()))

    lines = classify(capsys, f"{tmp_path}/{name}", good)

    assert [line["outcome"] for line in lines] == ["none", "Failed_Bounced"]
    assert lines[0]["rule"].startswith("file cannot be read: ")


def test_a_name_stays_as_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(tmp_path, b"Hei", "blåbær.eml")
    monkeypatch.chdir(tmp_path)

    [line] = classify(capsys, ".//blåbær.eml")

    assert line["file"] == ".//blåbær.eml"


def test_only_the_beginning_of_a_huge_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = stored(tmp_path, b"From: x\n\n")
    os.truncate(file, 100 * KEPT_LIMIT)  # a hole, which takes no room
    [line] = classify(capsys, file)

    assert line["outcome"] == "none"


def test_it_needs_no_settings_and_prints_any_name_in_any_locale(tmp_path: Path) -> None:
    name = b"bl\xe5b\xe6r.eml"  # not UTF-8
    (tmp_path / os.fsdecode(name)).write_bytes(new_dsn(recipient_fields()))
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "VARSEL_PORT": "no port"}

    done = subprocess.run(
        [sys.executable, "-m", "varsel", "classify", name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=True,
    )

    [line] = [json.loads(line) for line in done.stdout.splitlines()]
    assert os.fsencode(line["file"]) == name
    assert line["outcome"] == "Failed_Bounced"
    assert done.stderr == b""
