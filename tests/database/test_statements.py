"""Every statement has a user, every user has a statement, and PostgreSQL understands all of them."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import varsel
from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements

SOURCE = Path(varsel.__file__).parent
FOLDER = files("varsel.database.statements")
SUBJECTS = sorted(file.name.removesuffix(".sql") for file in FOLDER.iterdir() if file.name.endswith(".sql"))


def defined() -> set[tuple[str, str]]:
    return {(subject, name) for subject in SUBJECTS for name in statements(subject)}


def used() -> set[tuple[str, str]]:
    return {use for module in SOURCE.rglob("*.py") for use in _uses_in(ast.parse(module.read_text()))}


def _uses_in(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """`SQL = statements("orders")` and then `SQL["place_order"]`, or both at once."""
    subject_of = {
        target.id: subject
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (subject := _subject(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            name = node.slice.value if isinstance(node.slice, ast.Constant) else None
            subject = _subject(node.value) or subject_of.get(getattr(node.value, "id", ""))
            if subject and isinstance(name, str):
                yield subject, name


def _subject(node: ast.expr) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id="statements"), args=[ast.Constant(value=str(subject))]):
            return subject
        case _:
            return None


def test_every_statement_is_used_and_every_use_has_a_statement() -> None:
    assert used() == defined()


def test_no_name_stands_for_two_statements() -> None:
    names = Counter(name for _, name in defined())

    assert [name for name, uses in names.items() if uses > 1] == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_statement_of_a_file_is_found(subject: str) -> None:
    text = FOLDER.joinpath(f"{subject}.sql").read_text(encoding="utf-8")

    assert len(statements(subject)) == text.count("-- name:") > 0
    assert all(sql.rstrip().endswith(";") and sql.count(";") == 1 for sql in statements(subject).values())


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_statement_comes_without_the_comment_above_it(subject: str) -> None:
    assert not [name for name, sql in statements(subject).items() if sql.startswith("--") or "-- name" in sql]


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_postgresql_understands_every_statement(pool: Pool, subject: str) -> None:
    async with connection_of(pool) as conn, conn.transaction():
        for sql in statements(subject).values():
            await conn.prepare(sql)
            if sql.startswith("CREATE TEMPORARY TABLE"):  # of which the statements below it speak
                await conn.execute(sql)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_columns_are_listed_one_by_one(subject: str) -> None:
    assert not [name for name, sql in statements(subject).items() if "SELECT *" in sql or ".*" in sql]


def test_no_sql_stands_outside_the_room_for_it() -> None:
    others = [module for module in SOURCE.rglob("*.py") if SOURCE / "database" not in module.parents]
    sql = re.compile(r"SELECT .+ FROM |INSERT INTO |UPDATE \w+ SET |DELETE FROM ")

    assert not [str(module) for module in others if sql.search(module.read_text())]


def test_an_unknown_statement_is_an_error_and_the_known_ones_cannot_be_changed() -> None:
    with pytest.raises(KeyError):
        statements("orders")["drop_order"]
    with pytest.raises(TypeError):
        statements("orders")["place_order"] = "SELECT 1"  # type: ignore[index]
