"""Take a mail apart into its parts, whatever it is like: linear in its size, bounded in depth and number.

The standard library's parser raises at some of what strangers send, recurses as deep as they like, and reads the parts
of a report as embedded mails; a report needs less than it offers.

A mail inside the mail is given as its header, then its own parts, each one level further in.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DEPTH_LIMIT = 10  # parts within parts; real reports have one level, forwarded ones three
PARTS_LIMIT = 100  # real reports have three; those that hold others count too
DELIMITERS_LIMIT = 1_000  # lines that look like one
FIELDS_LIMIT = 1_000  # in one header
HEAD_LIMIT = 256 * 1024  # bytes of one header; relays themselves stop at about 100 kB
BODY_LIMIT = 1024 * 1024  # bytes of one part as sent; a report on 1,000 recipients has a third of that

HEADER_ONLY = ("text/rfc822-headers", "text/rfc822-header", "message/global-headers", "message/rfc822-headers")
_MAIL_TYPES = ("message/rfc822", "message/global")  # the latter by RFC 6532

_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:(.*)", re.DOTALL)
_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE)
# Where the header names none, or one that is not there, or is missing: a delimiter line with a part's header below it.
_LIKELY_BOUNDARY = re.compile(rb"\n--(\S[^\n]{0,199})\nContent-", re.IGNORECASE)
_SNIFFED = 8 * 1024  # bytes in which such a line would stand
_LINE_REST = 200  # bytes of padding behind a delimiter
_ENCODINGS = ("base64", "quoted-printable")


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds no others, or the header of a mail inside the mail; lines end in LF."""

    content_type: str  # lower case, without parameters
    parameters: str  # of the content type, as they stand
    body: bytes  # decoded, the first of it where it is longer than BODY_LIMIT
    level: int  # 0: the mail's own; 1: of a mail inside it


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, taken apart."""

    fields: Mapping[str, str]  # of its own header
    parts: tuple[Part, ...]


def take_apart(content: bytes) -> Mail:
    """The mail's header and every part in order, those of a mail inside it too. Never raises."""
    # Mail that went through a text file may end its lines in two CRs and an LF, or in CR alone.
    lines = content.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start = _first_not(b"\n \t", lines, 3 if lines.startswith(b"\xef\xbb\xbf") else 0)
    fields = read_fields(_head(lines, start, len(lines)))
    return Mail(fields, tuple(_Walk().parts_of(lines, start, len(lines), DEPTH_LIMIT, 0, fields)))


def read_fields(head: bytes) -> Mapping[str, str]:
    """Header fields by lower-case name, unfolded; of a name that comes twice the first one counts."""
    fields: dict[str, str] = {}
    # A line that begins with a space continues the one before (RFC 5322 section 2.2.3).
    for line in re.split(rb"\n(?![ \t])", head[:HEAD_LIMIT].lstrip(b"\n"), maxsplit=FIELDS_LIMIT):
        match = _FIELD.match(line)
        if match:
            fields.setdefault(match[1].decode("ascii").lower(), readable(match[2]))
    return fields


def blocks_of(body: bytes) -> list[bytes]:
    """What stands apart by blank lines."""
    return [block for block in _BLANK_LINE.split(body.strip(b"\n"), maxsplit=FIELDS_LIMIT) if block.strip()]


def readable(octets: bytes) -> str:
    """On one line, as PostgreSQL's text can hold it."""
    return " ".join(octets.decode("utf-8", "replace").replace("\0", "").split())


class _Walk:
    """Through one mail by position, so that nothing is copied but the parts; bounded by what it has left."""

    def __init__(self) -> None:
        self._parts_left = PARTS_LIMIT
        self._delimiters_left = DELIMITERS_LIMIT

    def parts_of(
        self, mail: bytes, start: int, end: int, depth: int, level: int, fields: Mapping[str, str] | None = None
    ) -> Iterator[Part]:
        """The parts between these positions; `fields` are those of the header there, where it was read before."""
        self._parts_left -= 1
        if fields is None:
            fields = read_fields(_head(mail, start, end))
        start = _start_of_body(mail, start, end)
        kind, _, parameters = fields.get("content-type", "text/plain").partition(";")
        kind = kind.strip().lower()
        encoding = fields.get("content-transfer-encoding", "").strip().lower()
        boundary = _boundary_of(kind, parameters, mail, start, end)
        if kind.startswith("multipart/") and not boundary:
            kind = "text/plain"  # whatever it was, nothing keeps its parts apart any more
        if depth and boundary:
            for piece_start, piece_end in self._pieces(mail, start, end, boundary):
                yield from self.parts_of(mail, piece_start, piece_end, depth - 1, level)
        elif depth and kind in _MAIL_TYPES:
            if encoding in _ENCODINGS:  # which RFC 2046 section 5.2.1 forbids
                mail = decode_body(mail[start : min(end, start + BODY_LIMIT)], encoding)
                start, end = 0, len(mail)
            start = _first_not(b"\n", mail, start)
            yield Part(HEADER_ONLY[0], "", _head(mail, start, end), level + 1)
            yield from self.parts_of(mail, start, end, depth - 1, level + 1)
        else:
            decoded = decode_body(mail[start : min(end, start + BODY_LIMIT)], encoding)
            yield Part(kind, parameters, decoded, level + (kind in HEADER_ONLY))

    def _pieces(self, mail: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
        """Between the delimiter lines (RFC 2046 section 5.1.1); the last may break off, as reports that were cut do."""
        delimiter = b"\n--" + boundary
        piece: int | None = None
        # The first one may stand right behind the blank line that ends the header.
        at = mail.find(delimiter, max(0, start - 1), end)
        while at != -1 and self._parts_left > 0 and self._delimiters_left > 0:
            self._delimiters_left -= 1
            after = at + len(delimiter)
            line_end = mail.find(b"\n", after, min(end, after + _LINE_REST))
            rest = mail[after : line_end if line_end != -1 else min(end, after + _LINE_REST)].strip(b" \t")
            if rest in (b"", b"--"):  # else it is a longer boundary that begins like this one
                if piece is not None:
                    yield piece, max(piece, at)
                # What stands behind a mark with two hyphens is no part.
                piece = None if rest or line_end == -1 else line_end + 1
            at = mail.find(delimiter, after, end)
        if piece is not None and self._parts_left > 0:
            yield piece, end


def _boundary_of(kind: str, parameters: str, mail: bytes, start: int, end: int) -> bytes | None:
    if kind.startswith("multipart/"):
        named = _BOUNDARY.search(parameters)
        boundary = (named[1] or named[2]).encode("utf-8") if named else None
        if boundary and mail.find(b"\n--" + boundary, max(0, start - 1), end) != -1:
            return boundary
    elif kind != "text/plain" or not mail.startswith(b"--", start, end):
        return None
    likely = _LIKELY_BOUNDARY.search(mail[max(0, start - 1) : min(end, start + _SNIFFED)])
    return likely[1].rstrip() if likely else None


def _head(mail: bytes, start: int, end: int) -> bytes:
    return mail[start : min(_end_of_head(mail, start, end), start + HEAD_LIMIT)]


def _start_of_body(mail: bytes, start: int, end: int) -> int:
    head_end = _end_of_head(mail, start, end)
    return min(end, head_end + (2 if head_end > start else 1))


def _end_of_head(mail: bytes, start: int, end: int) -> int:
    # A part that begins with a blank line has no header at all (RFC 2046 section 5.1).
    if mail.startswith(b"\n", start, end):
        return start
    at = mail.find(b"\n\n", start, end)
    return end if at == -1 else at


def _first_not(octets: bytes, mail: bytes, start: int) -> int:
    """Where the first other octet stands; looked for in steps, so that nothing of the mail is copied."""
    while chunk := mail[start : start + 4096]:
        rest = chunk.lstrip(octets)
        if rest:
            return start + len(chunk) - len(rest)
        start += len(chunk)
    return start


_NO_DIGITS = re.sub(rb"[A-Za-z0-9+/]", b"", bytes(range(256)))


def decode_body(body: bytes, encoding: str) -> bytes:
    """A body without its transfer encoding, which is in lower case; as far as it can be decoded."""
    match encoding:
        case "base64":
            return _from_base64(body)
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case _:
            return body


def _from_base64(body: bytes) -> bytes:
    """As far as it can be decoded."""
    digits = body.translate(None, _NO_DIGITS)
    decoded = binascii.a2b_base64(digits[: len(digits) // 4 * 4] + _rest(digits))
    return decoded.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _rest(digits: bytes) -> bytes:
    """The last group with the padding that it needs; a single digit holds no octet."""
    rest = digits[len(digits) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""
