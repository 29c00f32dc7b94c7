"""Take a mail apart into its parts, whatever it is like: linear in its size, bounded in depth and number.

The standard library's parser raises at some of what strangers send, recurses as deep as they like, and reads the parts
of a report as embedded mails; a report needs less than it offers.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DEPTH_LIMIT = 10  # parts within parts; real reports have one level, forwarded ones three
PARTS_LIMIT = 100  # real reports have three
FIELDS_LIMIT = 1_000  # in one header

_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:(.*)", re.DOTALL)
_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds no others; lines end in LF."""

    content_type: str  # lower case, without parameters
    body: bytes  # decoded


def parts_of(content: bytes) -> Iterator[Part]:
    """Every part of the mail in order, those of an embedded mail too."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    for number, part in enumerate(_walk(lines, DEPTH_LIMIT)):
        if number == PARTS_LIMIT:
            return
        yield part


def read_fields(head: bytes) -> Mapping[str, str]:
    """Header fields by lower-case name, unfolded; of a name that comes twice the first one counts."""
    fields: dict[str, str] = {}
    # A line that begins with a space continues the one before (RFC 5322 section 2.2.3).
    for line in re.split(rb"\n(?![ \t])", head.lstrip(b"\n"), maxsplit=FIELDS_LIMIT):
        match = _FIELD.match(line)
        if match:
            fields.setdefault(match[1].decode("ascii").lower(), _readable(match[2]))
    return fields


def blocks_of(body: bytes) -> list[bytes]:
    """What stands apart by blank lines."""
    return [block for block in _BLANK_LINE.split(body.strip(b"\n"), maxsplit=FIELDS_LIMIT) if block.strip()]


def _walk(content: bytes, depth: int) -> Iterator[Part]:
    # A part that begins with a blank line has no header at all (RFC 2046 section 5.1).
    head, _, body = (b"", b"", content) if content.startswith(b"\n") else content.partition(b"\n\n")
    fields = read_fields(head)
    kind = fields.get("content-type", "text/plain")
    content_type = kind.partition(";")[0].strip().lower()
    boundary = _BOUNDARY.search(kind)
    if depth and content_type.startswith("multipart/") and boundary:
        for piece in _pieces(body, boundary[1] or boundary[2]):
            yield from _walk(piece, depth - 1)
    elif depth and content_type == "message/rfc822":
        yield from _walk(body.lstrip(b"\n"), depth - 1)
    else:
        yield Part(content_type, _decoded(body, fields.get("content-transfer-encoding", "")))


def _pieces(body: bytes, boundary: str) -> list[bytes]:
    """Between the delimiter lines (RFC 2046 section 5.1.1); the last may break off, as reports that were cut do."""
    delimiter = rb"(?:^|\n)--" + re.escape(boundary.encode("utf-8")) + rb"(--)?[ \t]*(?=\n|$)"
    pieces = re.split(delimiter, body, maxsplit=PARTS_LIMIT)
    # Text and closing mark take turns: what stands behind a mark with two hyphens is no part.
    return [pieces[at + 1].removeprefix(b"\n") for at in range(1, len(pieces) - 1, 2) if pieces[at] is None]


def _decoded(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "base64":
            return _from_base64(body)
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case _:
            return body


def _from_base64(body: bytes) -> bytes:
    """As far as it can be decoded."""
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
    return binascii.a2b_base64(digits[: len(digits) // 4 * 4] + _rest(digits)).replace(b"\r\n", b"\n")


def _rest(digits: bytes) -> bytes:
    """The last group with the padding that it needs; a single digit holds no octet."""
    rest = digits[len(digits) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def _readable(octets: bytes) -> str:
    """On one line, as PostgreSQL's text can hold it."""
    return " ".join(octets.decode("utf-8", "replace").replace("\0", "").split())
