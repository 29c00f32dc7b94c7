"""The plain-text part of an HTML mail, for readers and filters that take no HTML."""

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    "address article aside blockquote center dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main "
    "nav ol p pre section table tr ul".split()
)
_PARAGRAPHS = frozenset("blockquote h1 h2 h3 h4 h5 h6 ol p pre table ul".split())
_UNSEEN = frozenset("script style template title".split())
_SPACES = re.compile(r"[ \t\r\n\f]+")


class _TextOf(HTMLParser):
    """Collects what a reader would see; a link's target follows its text, since text has no other place for it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._line_breaks = 0  # owed before the next text: one ends a line, two a paragraph
        self._unseen = 0
        self._links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._line_breaks += 1
        elif tag == "a":
            self._links.append(dict(attrs).get("href"))
        elif tag in _BLOCKS:
            self._break(tag)
            if tag == "li":
                self._write("* ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "a" and self._links:
            self._end_link(self._links.pop())
        elif tag in ("td", "th"):
            self._write(" ")
        elif tag in _BLOCKS:
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._write(_SPACES.sub(" ", data))

    def close(self) -> None:
        super().close()
        while self._links:  # left open
            self._end_link(self._links.pop())

    def _write(self, text: str) -> None:
        starts_line = self._line_breaks or not self.text or self.text[-1].endswith(" ")
        text = text.lstrip(" ") if starts_line else text
        if not text:
            return
        if self._line_breaks and self.text:
            self.text.append("\n" * min(self._line_breaks, 2))
        self._line_breaks = 0
        self.text.append(text)

    def _break(self, tag: str) -> None:
        self._line_breaks = max(self._line_breaks, 2 if tag in _PARAGRAPHS else 1)

    def _end_link(self, target: str | None) -> None:
        is_shown = bool(self.text) and target is not None and self.text[-1].rstrip().endswith(target)
        if target and target.startswith(("http://", "https://")) and not is_shown:
            self._write(f" <{target}>")


def _read(html: str) -> _TextOf:
    reader = _TextOf()
    reader.feed(html)
    reader.close()
    return reader


def plain_text_of(html: str) -> str:
    """The text of an HTML body: paragraphs apart by an empty line, links with their targets, no markup."""
    try:
        reader = _read(html)
    except AssertionError:
        # The parser raises at a marked section that it does not know (`<![x[`); to a reader that is text.
        reader = _read(html.replace("<![", "&lt;!["))
    return "\n".join(line.rstrip(" ") for line in "".join(reader.text).split("\n")) + "\n"
