"""Named SQL statements, one file for each subject: `statements("orders")["place_order"]`."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

# `-- name: mark_bounced` opens a statement; comment lines below it say why, the statement runs to the next name.
_STATEMENT = re.compile(r"^-- name: (\w+)\n((?:--[^\n]*\n)*)(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


@cache
def statements(subject: str) -> Mapping[str, str]:
    """All statements of `statements/<subject>.sql` by name, without the comments above them."""
    text = files(__name__).joinpath(f"{subject}.sql").read_text(encoding="utf-8")
    return MappingProxyType({name: sql.strip() for name, _why, sql in _STATEMENT.findall(text)})
