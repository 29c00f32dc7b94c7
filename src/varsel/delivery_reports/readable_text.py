"""The words of a part as text: decoded from whatever character set, without markup, without what cannot be stored."""

import re

from varsel.delivery_reports.parts import Part, decode_body

TEXT_LIMIT = 64 * 1024  # characters of one part; servers say it on the first page

# Names that Python's codecs know too, such as punycode or unicode_escape, are no character sets of mail.
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_KNOWN_CHARSETS = re.compile(
    r"(iso-?8859-\d{1,2}|windows-?125\d|cp125\d|iso-2022-(jp|jp-\d|kr)|euc-(jp|kr)|shift[_-]?jis|x-sjis|cp932"
    r"|gb2312|gbk|gb18030|big5|koi8-[ru])",
    re.IGNORECASE,
)
_SHIFTED_JAPANESE = b"\x1b$"  # ISO-2022-JP says itself what it is, and often nothing else does

_HIDDEN = re.compile(r"<(/?)(?:style|script|title)\b[^<>]{0,1000}>", re.IGNORECASE)
_LINE_BREAKS = re.compile(
    r"<(?:/?(?:p|div|tr|table|h[1-6]|li|ul|ol|pre|blockquote|td)|br)\b[^<>]{0,2000}>", re.IGNORECASE
)
# An address in angle brackets is none.
_TAGS = re.compile(r"<(?![^<>\s]{1,320}@[^<>\s]{1,255}>)[!/a-z][^<>]{0,5000}>", re.IGNORECASE)
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "nbsp": " ", "#39": "'", "apos": "'", "#64": "@"}
_ENTITY = re.compile("&(" + "|".join(_ENTITIES) + ");")
_WORD = re.compile(r"=\?([A-Za-z0-9_.-]{1,40})(?:\*[A-Za-z-]{0,20})?\?([bBqQ])\?([^?\s]{0,2000})\?=")


def text_of(part: Part) -> str:
    """The part's text as a reader sees it, the beginning of it."""
    charset = _CHARSET.search(part.parameters)
    # Markup takes several times the room of what it marks up.
    text = decoded(part.body[: 4 * TEXT_LIMIT], charset[1] if charset else "")
    return (_without_markup(text) if part.content_type == "text/html" else text)[:TEXT_LIMIT]


def decoded(octets: bytes, charset: str) -> str:
    """Octets as text, in UTF-8 where they can be, else in the character set that is named, else in Latin-1."""
    if _SHIFTED_JAPANESE in octets:
        return storable(octets.decode("iso-2022-jp", "replace"))
    try:
        return storable(octets.decode("utf-8"))
    except UnicodeDecodeError:
        known = _KNOWN_CHARSETS.fullmatch(charset)
    try:
        return storable(octets.decode(charset if known else "latin-1", "replace"))
    except LookupError:
        return storable(octets.decode("latin-1"))


def storable(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def decode_words(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) as text."""
    return _WORD.sub(_decoded_word, value.replace("?= =?", "?==?"))


def _decoded_word(word: re.Match[str]) -> str:
    part = Part("text/plain", f"charset={word[1]}", _octets_of(word[2], word[3]), 0)
    return text_of(part)


def _octets_of(encoding: str, digits: str) -> bytes:
    if encoding in "bB":
        return decode_body(digits.encode(), "base64")
    return decode_body(digits.replace("_", " ").encode(), "quoted-printable")


def _without_markup(html: str) -> str:
    seen: list[str] = []
    hidden = False
    at = 0
    for tag in _HIDDEN.finditer(html):
        if not hidden:
            seen.append(html[at : tag.start()])
        hidden, at = not tag[1], tag.end()
    if not hidden:
        seen.append(html[at:])
    text = _TAGS.sub(" ", _LINE_BREAKS.sub("\n", "".join(seen).replace("\n", " ")))
    return _ENTITY.sub(lambda match: _ENTITIES[match[1]], text)
