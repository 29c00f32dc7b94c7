"""What an operator does with the contact register on the command line."""

import asyncio
import os
import re
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from varsel.contact_commands import (
    add_contact,
    add_contact_actions,
    export_contacts,
    import_file,
    remove_contact,
    show_contact,
)
from varsel.contact_register.contact_file import Line
from varsel.contact_register.entry import Entry, GivenEntry
from varsel.contact_register.maintain import (
    FAULTS_SHOWN,
    PIECE,
    REASONS_SHOWN,
    Imported,
    Refused,
    all_entries,
    import_contacts,
)
from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements
from varsel.errors import SettingsError

NAMES = "identity;name;email_addresses;mobile_numbers;reserved\n"
KARI = Entry("01017012345", "Kari Nordmann", ("kari@etat.test",), ("+4791234567",), True)
BRANN = Entry("991825827", "Brann AS", ("post@brann.test", "vakt@brann.test"))
TWO = (
    f"{NAMES}01017012345;Kari Nordmann;kari@etat.test;91234567;ja\n"
    "991 825 827;Brann AS;post@brann.test vakt@brann.test\n"
)
NOBODY: frozenset[str] = frozenset()


async def stored(pool: Pool) -> list[Entry]:
    return [entry async for entry in all_entries(pool)]


class Imports:
    """Imports what is given as text, and says what was printed."""

    def __init__(self, pool: Pool, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._pool, self._file, self._capsys = pool, file, capsys

    async def __call__(self, content: str, *, replace: bool = False) -> str:
        self._file.write_text(content, encoding="utf-8")
        await import_file(self._pool, str(self._file), NOBODY, replace=replace)
        return self._capsys.readouterr().out

    async def faults(self, content: str, *, replace: bool = False) -> list[str]:
        with pytest.raises(SettingsError) as refused:
            await self(content, replace=replace)
        return [*self._capsys.readouterr().err.splitlines(), str(refused.value)]


@pytest.fixture
def imported(pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Imports:
    return Imports(pool, tmp_path / "contacts.csv", capsys)


async def test_everybody_in_a_file_is_stored(pool: Pool, imported: Imports) -> None:
    printed = await imported(TWO)

    assert printed == "2 new, 0 changed, 0 unchanged\n"
    assert await stored(pool) == [KARI, BRANN]


async def test_a_file_can_come_by_standard_input(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(TWO.encode())))

    await import_file(pool, "-", NOBODY, replace=False)

    assert await stored(pool) == [KARI, BRANN]


async def test_what_was_imported_already_is_left_as_it_is(pool: Pool, imported: Imports) -> None:
    await imported(TWO)
    rows = "SELECT identity, changed_at, xmin::text FROM contacts ORDER BY identity"
    before = await pool.fetch(rows)

    printed = await imported(TWO)

    assert printed == "0 new, 0 changed, 2 unchanged\n"
    assert await pool.fetch(rows) == before


@pytest.mark.parametrize("line", ["Kari;kari@etat.test;91234567;ja", ";kari@etat.test;91234567;ja", ";;;"])
async def test_a_line_takes_the_place_of_all_that_was_known(pool: Pool, imported: Imports, line: str) -> None:
    await imported(TWO)

    printed = await imported(f"{NAMES}{KARI.identity};{line}\n")

    name, addresses, numbers, reserved = line.split(";")
    assert printed == "0 new, 1 changed, 0 unchanged\n"
    assert await stored(pool) == [
        Entry(
            KARI.identity,
            name or None,
            ("kari@etat.test",) if addresses else (),
            ("+4791234567",) if numbers else (),
            reserved == "ja",
        ),
        BRANN,
    ]


async def test_whoever_is_not_in_the_file_stays(pool: Pool, imported: Imports) -> None:
    await imported(TWO)

    await imported(f"{NAMES}02017012345\n")

    assert [entry.identity for entry in await stored(pool)] == ["01017012345", "02017012345", "991825827"]


async def test_with_replace_whoever_is_not_in_the_file_is_removed(pool: Pool, imported: Imports) -> None:
    await imported(TWO)

    printed = await imported(f"{NAMES}02017012345\n991825827;Brann ASA\n", replace=True)

    assert printed == "1 new, 1 changed, 0 unchanged, 1 removed\n"
    assert await stored(pool) == [Entry("02017012345"), Entry("991825827", "Brann ASA")]


async def test_a_file_without_anybody_does_not_remove_everybody(pool: Pool, imported: Imports) -> None:
    await imported(TWO)

    said = await imported.faults(NAMES, replace=True)

    assert said == [
        "line 1: no contact follows, so that every contact would be removed",
        "nothing was imported: 1 fault",
    ]
    assert await stored(pool) == [KARI, BRANN]


async def test_one_with_faulty_lines_stores_nothing_and_names_each(pool: Pool, imported: Imports) -> None:
    said = await imported.faults(
        f"{NAMES}01017012345;Kari\n1017012345;Ola\n991825827;;kari;;ja\n02017012345;;;5551234\n"
        "010170 12345;Kari\n991825827;;;;;\n03017012345;Per\n03017012345;;x\n03017012345\n"
    )

    assert said == [
        "line 3: the identity has neither 9 nor 11 digits",
        "line 4: e-mail address 1 is not valid; only a person can be reserved",
        "line 5: mobile number 1 is not valid",
        "line 6: the same identity as in line 2",
        "line 7: more cells than there are columns",
        "line 9: e-mail address 1 is not valid",
        "line 9: the same identity as in line 8",
        "line 10: the same identity as in line 8",
        "nothing was imported: 8 faults",
    ]
    assert await stored(pool) == []


@pytest.mark.parametrize("line", ["1;Kari", "991825827;Kari"], ids=["faulty", "repeated"])
async def test_of_very_many_faults_the_first_are_shown_and_the_others_counted(imported: Imports, line: str) -> None:
    faults = PIECE + 7

    said = await imported.faults(f"{NAMES}991825827\n" + f"{line}\n" * faults)

    assert [fault.split(":")[0] for fault in said[:FAULTS_SHOWN]] == [f"line {3 + n}" for n in range(FAULTS_SHOWN)]
    assert said[FAULTS_SHOWN:] == [f"and {faults - FAULTS_SHOWN} more", f"nothing was imported: {faults} faults"]


async def test_faults_of_both_kinds_are_shown_in_the_order_of_lines(imported: Imports) -> None:
    said = await imported.faults(NAMES + "991825827\n" * 2 + "1\n" * FAULTS_SHOWN)

    assert said[0] == "line 3: the same identity as in line 2"
    assert said[-3:] == [
        f"line {2 + FAULTS_SHOWN}: the identity has neither 9 nor 11 digits",
        "and 1 more",
        f"nothing was imported: {FAULTS_SHOWN + 1} faults",
    ]


async def test_of_a_line_with_very_many_faults_the_first_are_shown(imported: Imports) -> None:
    said = await imported.faults(f"{NAMES}991825827;;{'x ' * 1_000}\n")

    shown = "; ".join(f"e-mail address {position} is not valid" for position in range(1, REASONS_SHOWN + 1))
    assert said == [f"line 2: {shown}", "nothing was imported: 1 fault"]


async def test_a_file_of_twenty_thousand_lines_is_imported_and_none_of_it_where_the_last_is_faulty(
    pool: Pool, imported: Imports
) -> None:
    content = NAMES + "".join(f"{10**10 + n};Kari {n};kari{n}@etat.test;;\n" for n in range(20_000))

    said = await imported.faults(f"{content}1\n")
    stored_of_faulty = await pool.fetchval("SELECT count(*) FROM contacts")
    printed = await imported(content, replace=True)

    assert said[0] == "line 20002: the identity has neither 9 nor 11 digits"
    assert stored_of_faulty == 0
    assert printed == "20000 new, 0 changed, 0 unchanged, 0 removed\n"


async def test_a_file_that_breaks_off_stores_nothing(pool: Pool) -> None:
    def lines() -> Iterator[Line]:
        yield from (Line(2 + n, Entry(f"{n:09}")) for n in range(PIECE + 1))
        raise SettingsError("the file cannot be read: Input/output error")

    with pytest.raises(SettingsError, match="Input/output error"):
        await import_contacts(pool, lines(), replace=False)

    assert await stored(pool) == []


async def test_of_two_imports_at_once_one_comes_after_the_other_and_nobody_sees_half_of_one(pool: Pool) -> None:
    def lines(name: str) -> list[Line]:
        return [Line(2 + n, Entry(f"{n:09}", name)) for n in range(2_000)]

    names_seen = []

    async def look(imports: "asyncio.Future[list[Imported | Refused]]") -> None:
        while not imports.done():
            rows = await pool.fetch("SELECT name, count(*) AS entries FROM contacts GROUP BY name")
            names_seen.append({row["name"]: row["entries"] for row in rows})

    imports = asyncio.gather(*(import_contacts(pool, lines(name), replace=True) for name in ("first", "second")))
    await look(imports)

    assert sorted(await imports, key=repr) == [Imported(0, 2_000, 0, 0), Imported(2_000, 0, 0, 0)]
    assert all(seen in ({}, {"first": 2_000}, {"second": 2_000}) for seen in names_seen)


async def test_what_cannot_be_opened_is_said_in_one_line(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.csv cannot be read: No such file or directory"):
        await import_file(pool, str(tmp_path / "missing.csv"), NOBODY, replace=False)


async def test_the_export_is_imported_to_the_same(
    pool: Pool, imported: Imports, capsys: pytest.CaptureFixture[str]
) -> None:
    await imported(
        TWO + '"02017012345";"=HYPERLINK(""x"");, \'"\n03017012345;\'s Gravenhage;+x@etat.test;+46701234567\n'
    )
    before = await stored(pool)

    await export_contacts(pool)

    exported = capsys.readouterr().out
    assert await imported(exported, replace=True) == "0 new, 0 changed, 4 unchanged, 0 removed\n"
    assert await stored(pool) == before


async def test_an_entry_is_added_and_replaced_whole(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    kari = GivenEntry("010170 12345", "Kari Nordmann", "kari@etat.test", "91234567", "yes")

    for given in (kari, kari, GivenEntry("01017012345", "Kari")):
        await add_contact(pool, given, NOBODY)

    assert capsys.readouterr().out.splitlines() == ["new", "unchanged", "changed"]
    assert await stored(pool) == [Entry("01017012345", "Kari")]


async def test_what_may_not_be_in_a_file_is_not_added_either(pool: Pool) -> None:
    with pytest.raises(SettingsError) as refused:
        await add_contact(pool, GivenEntry("991825827", email_addresses="kari", reserved="yes"), NOBODY)

    assert str(refused.value) == "e-mail address 1 is not valid; only a person can be reserved"
    assert await stored(pool) == []


async def test_an_entry_is_removed_alone(pool: Pool, imported: Imports) -> None:
    await imported(TWO)

    await remove_contact(pool, "010170 12345")

    assert await stored(pool) == [BRANN]


async def test_all_that_is_known_is_shown(pool: Pool, imported: Imports, capsys: pytest.CaptureFixture[str]) -> None:
    await imported(TWO)

    await show_contact(pool, "01017012345")
    *person, person_changed = capsys.readouterr().out.splitlines()
    await show_contact(pool, "991 825 827")
    *organization, _ = capsys.readouterr().out.splitlines()

    assert person == [
        "person          01017012345",
        "name            Kari Nordmann",
        "e-mail          kari@etat.test",
        "mobile          +4791234567",
        "reserved        yes",
    ]
    assert person_changed.startswith("changed         20")
    assert organization == [
        "organisation    991825827",
        "name            Brann AS",
        "e-mail          post@brann.test, vakt@brann.test",
        "mobile          -",
    ]


@pytest.mark.parametrize("act", [show_contact, remove_contact])
@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        ("01017012345", "the contact register has no such identity"),
        ("1017012345", "the identity has neither 9 nor 11 digits"),
    ],
)
async def test_who_is_not_there_is_said_not_to_be(
    pool: Pool, act: Callable[[Pool, str], Awaitable[None]], identity: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        await act(pool, identity)


async def test_every_action_is_led_to_with_what_was_given(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = ArgumentParser()
    add_contact_actions(parser)
    (tmp_path / "contacts.csv").write_text(TWO, encoding="utf-8")

    for action in (
        ["add", "03017012345"],
        ["import", "--replace", str(tmp_path / "contacts.csv")],
        ["add", "02017012345", "--name", "Åse", "--email", "ase@etat.local", "--mobile", "412 34 567", "--reserved"],
        ["add", "991825828", "--email", "a@brann.test", "--email", "b@brann.test"],
        ["add", "991825829", "--mobile", "41234567", "--mobile", "0046 41234567"],
        ["show", "991825828"],
        ["remove", "01017012345"],
        ["export"],
    ):
        options = parser.parse_args(action)
        await options.act(pool, options, frozenset({"local"}))

    assert re.sub("changed  .*", "changed", capsys.readouterr().out).splitlines() == [
        "new",
        "2 new, 0 changed, 0 unchanged, 1 removed",
        "new",
        "new",
        "new",
        "organisation    991825828",
        "name            -",
        "e-mail          a@brann.test, b@brann.test",
        "mobile          -",
        "changed",
        "identity,name,email_addresses,mobile_numbers,reserved",
        "02017012345,Åse,ase@etat.local,'+4741234567,true",
        "991825827,Brann AS,post@brann.test vakt@brann.test,,false",
        "991825828,,a@brann.test b@brann.test,,false",
        "991825829,,,'+4741234567 +4641234567,false",
    ]


def varsel(
    dsn: str, *arguments: str, given: str = "", stdout: int = subprocess.PIPE
) -> "subprocess.CompletedProcess[bytes]":
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "VARSEL_DATABASE_URL": dsn}
    command = [sys.executable, "-m", "varsel", "contacts", *arguments]
    return subprocess.run(command, input=given.encode(), stdout=stdout, stderr=subprocess.PIPE, env=environment)


async def test_a_refused_file_is_exit_code_2_and_no_traceback(dsn: str) -> None:
    ended = await asyncio.to_thread(varsel, dsn, "import", "-", given=f"{NAMES}1\n")

    assert ended.returncode == 2
    assert ended.stderr.decode().splitlines() == [
        "line 2: the identity has neither 9 nor 11 digits",
        "varsel: nothing was imported: 1 fault",
    ]


async def test_the_export_is_utf8_in_any_locale(dsn: str, pool: Pool) -> None:
    await add_contact(pool, GivenEntry("991825827", "Blåbær AS"), NOBODY)

    ended = await asyncio.to_thread(varsel, dsn, "export")

    assert ended.stdout.decode().splitlines()[1] == "991825827,Blåbær AS,,,false"


async def test_whoever_has_read_enough_of_an_export_sees_no_traceback(dsn: str, pool: Pool) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ended = await asyncio.to_thread(varsel, dsn, "export", stdout=writer)

    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize("entries", [1, 5_000])
async def test_an_export_that_cannot_be_written_is_one_line(dsn: str, pool: Pool, entries: int) -> None:
    await import_contacts(pool, [Line(2 + n, Entry(f"{n:09}", "Brann AS")) for n in range(entries)], replace=False)

    full = os.open("/dev/full", os.O_WRONLY)

    ended = await asyncio.to_thread(varsel, dsn, "export", stdout=full)

    os.close(full)
    assert (ended.returncode, ended.stderr) == (
        2,
        b"varsel: the output cannot be written: No space left on device\n",
    )


async def test_a_database_that_cannot_finish_is_one_line(dsn: str, pool: Pool) -> None:
    async with connection_of(pool) as conn, conn.transaction():
        await conn.execute(statements("contacts")["lock_contacts"])

        ended = await asyncio.to_thread(
            varsel, f"{dsn}{'&' if '?' in dsn else '?'}lock_timeout=1", "remove", "991825827"
        )

    assert ended.returncode == 2
    assert ended.stderr == b"varsel: PostgreSQL did not answer: LockNotAvailableError\n"
