"""Taking mails apart: what a reader of reports needs of MIME, and the bounds that keep it from harm."""

import pytest

from varsel.delivery_reports.parts import BODY_LIMIT, PARTS_LIMIT, Part, read_fields, take_apart
from varsel.delivery_reports.readable_text import TEXT_LIMIT, decode_words, text_of

MIXED = b"Content-Type: multipart/mixed; boundary=B\n\n"


def bodies(content: bytes) -> list[bytes]:
    return [part.body.strip() for part in take_apart(content).parts]


def test_a_mail_without_parts_is_one() -> None:
    assert bodies(b"Subject: Hei\n\nHei\n") == [b"Hei"]


def test_parts_come_in_order_and_what_stands_around_them_is_none() -> None:
    assert bodies(MIXED + b"before\n--B\n\none\n--B\n\ntwo\n--B--\nafter\n") == [b"one", b"two"]


def test_a_longer_boundary_that_begins_the_same_separates_nothing() -> None:
    assert bodies(MIXED + b"--B\n\none\n--BB\n\ntwo\n--B--\n") == [b"one\n--BB\n\ntwo"]


def test_parts_in_parts_belong_to_the_same_mail() -> None:
    inner = b"--B\nContent-Type: multipart/alternative; boundary=I\n\n--I\n\none\n--I\n\ntwo\n--I--\n"

    assert [(part.body.strip(), part.level) for part in take_apart(MIXED + inner + b"--B--\n").parts] == [
        (b"one", 0),
        (b"two", 0),
    ]


@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_a_mail_in_the_mail_gives_its_header_and_its_parts_one_level_in(encoding: str) -> None:
    body = b"Subject: inner\n\nHei\n" if encoding == "7bit" else b"U3ViamVjdDogaW5uZXIKCkhlaQo="
    outer = f"--B\nContent-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n".encode()

    parts = take_apart(MIXED + outer + body + b"\n--B--\n").parts

    assert [(part.content_type, part.body.strip(), part.level) for part in parts] == [
        ("text/rfc822-headers", b"Subject: inner", 1),
        ("text/plain", b"Hei", 1),
    ]


def test_a_part_that_is_only_a_header_is_of_the_mail_inside() -> None:
    [part] = take_apart(MIXED + b"--B\nContent-Type: text/rfc822-headers\n\nSubject: inner\n--B--\n").parts

    assert part.level == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Content-Type: multipart/mixed\n\n--X\nContent-Type: text/plain\n\none\n--X--\n", id="unnamed"),
        pytest.param(MIXED + b"--X\nContent-Type: text/plain\n\none\n--X--\n", id="another"),
        pytest.param(b"Subject: Hei\n\n--X\nContent-Type: text/plain\n\none\n--X--\n", id="no type"),
    ],
)
def test_a_boundary_is_found_where_the_header_does_not_tell_it(content: bytes) -> None:
    assert bodies(content) == [b"one"]


def test_parts_that_nothing_separates_are_text() -> None:
    [part] = take_apart(MIXED + b"only words\n").parts

    assert (part.content_type, part.body) == ("text/plain", b"only words\n")


def test_a_mark_of_the_byte_order_and_blank_lines_before_the_header_do_not_matter() -> None:
    assert take_apart(b"\xef\xbb\xbf\n \n\nSubject: Hei\n\nHei\n").fields == {"subject": "Hei"}


def test_a_line_that_a_mailbox_file_begins_with_does_not_matter() -> None:
    assert take_apart(b"From MAILER-DAEMON Mon Nov 30 08:00:00 2026\nSubject: Hei\n\n").fields == {"subject": "Hei"}


def test_fields_are_unfolded_and_the_first_of_a_name_counts() -> None:
    assert read_fields(b"A : one\n\ttwo\nno field\na: three\n") == {"a": "one two"}


def test_there_are_never_more_parts_than_the_limit() -> None:
    assert len(take_apart(MIXED + b"--B\n\nx\n" * 10_000).parts) <= PARTS_LIMIT


def test_a_part_is_never_longer_than_the_limit() -> None:
    [part] = take_apart(b"Subject: Hei\n\n" + b"x" * 3 * BODY_LIMIT).parts

    assert len(part.body) == BODY_LIMIT


@pytest.mark.parametrize(
    "charset", ["iso-8859-1", "windows-1252", "utf-8", "no-such", "punycode", "unicode_escape", ""]
)
def test_text_is_readable_whatever_its_character_set_is_called(charset: str) -> None:
    octets = "på øya".encode("utf-8" if charset == "utf-8" else "latin-1")

    assert text_of(Part("text/plain", f"charset={charset}", octets, 0)) == "på øya"


@pytest.mark.parametrize("charset", ["iso-2022-jp", "euc-jp", "shift_jis"])
def test_japanese_text_is_readable(charset: str) -> None:
    assert text_of(Part("text/plain", f"charset={charset}", "宛先不明".encode(charset), 0)) == "宛先不明"


def test_text_can_be_stored_and_is_never_longer_than_the_limit() -> None:
    text = text_of(Part("text/plain", "charset=utf-8", b"\0\xed\xa0\x80" + b"x" * 10 * TEXT_LIMIT, 0))

    assert "\0" not in text
    assert text.encode()
    assert len(text) == TEXT_LIMIT


def test_markup_is_taken_away_and_addresses_stay() -> None:
    html = b'<style>p {}</style><p>To <a href="mailto:a@b.test">&lt;a@b.test&gt;</a><br>&amp; <c@d.test></p>'

    assert text_of(Part("text/html", "", html, 0)).split() == ["To", "<a@b.test>", "&", "<c@d.test>"]


def test_encoded_words_are_read() -> None:
    assert decode_words("=?iso-8859-1?Q?Frav=E6r_i?= =?utf-8?b?IGRhZw==?=: Hei =?x?z?") == "Fravær i dag: Hei =?x?z?"
