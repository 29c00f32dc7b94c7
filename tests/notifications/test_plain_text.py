"""What a reader without HTML sees of an HTML body."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varsel.notifications.plain_text import plain_text_of

# Pieces that a parser stumbles over, put together in any order.
PIECES = st.sampled_from(
    "< > </ <! <!-- --> <![ <![if ]> <![CDATA[ ]]> <? ?> & &# &#x; &amp <p </p> <a href= <br/> ' \" = ord æ".split()
)
BROKEN = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(PIECES | st.text(max_size=3)).map("".join)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("Hei", "Hei", id="no markup at all"),
        pytest.param("<p>Hei</p><p>på deg</p>", "Hei\n\npå deg", id="paragraphs apart by an empty line"),
        pytest.param("<h1>Vedtak</h1>Les det.", "Vedtak\n\nLes det.", id="heading"),
        pytest.param("<div>en</div>to<div>tre</div>", "en\nto\ntre", id="blocks on lines of their own"),
        pytest.param("en<br>to<br/>tre", "en\nto\ntre", id="line breaks"),
        pytest.param("en<br><br><br><br>to", "en\n\nto", id="many line breaks are one empty line"),
        pytest.param("<p>en\r\n   to\ttre</p>", "en to tre", id="white space is one space"),
        pytest.param("<b>en</b> <i>to</i>, <u>tre</u>", "en to, tre", id="inline tags leave no trace"),
        pytest.param("<ul><li>en</li><li>to</li></ul>etter", "* en\n* to\n\netter", id="list"),
        pytest.param("<ol><li>en<li>to</ol>", "* en\n* to", id="list items that are never closed"),
        pytest.param(
            "<table><tr><th>Navn</th><th>Alder</th></tr><tr><td>Kari</td><td>41</td></tr></table>",
            "Navn Alder\nKari 41",
            id="table rows are lines",
        ),
        pytest.param("&aring;&#230;&#xF8; &lt;p&gt; &amp;amp;", "åæø <p> &amp;", id="entities"),
        pytest.param("a &unknown; &", "a &unknown; &", id="what is no entity"),
        pytest.param("3 < 4 > 2", "3 < 4 > 2", id="what is no tag"),
        pytest.param("en<!-- skjult -->to", "ento", id="comment"),
        pytest.param("<!doctype html><html><body>Hei</body></html>", "Hei", id="whole document"),
    ],
)
def test_text_is_what_a_reader_would_see(html: str, text: str) -> None:
    assert plain_text_of(html) == f"{text}\n"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('Les <a href="https://etat.test/brev">brevet</a> nå', "Les brevet <https://etat.test/brev> nå"),
        ("<a href='http://etat.test'>Etaten</a>", "Etaten <http://etat.test>"),
        ('<a href="https://etat.test/">https://etat.test/</a>', "https://etat.test/"),
        ('<a href="https://etat.test/?a=1&amp;b=2">Se</a>', "Se <https://etat.test/?a=1&b=2>"),
        ('<a href="https://etat.test/"><b>Se</b> her</a>', "Se her <https://etat.test/>"),
        ('<a href="mailto:post@etat.test">Skriv</a>', "Skriv"),
        ('<a href="javascript:alert(1)">Trykk</a>', "Trykk"),
        ('<a name="topp">Topp</a> </a>', "Topp"),
        ("<a href>Tom</a>", "Tom"),
    ],
)
def test_a_link_is_followed_by_its_target(html: str, text: str) -> None:
    assert plain_text_of(html) == f"{text}\n"


@pytest.mark.parametrize(
    "html",
    [
        "<script>if (a < b) alert('x')</script>Hei",
        "<style>p > a { color: red }</style>Hei",
        "<head><title>Tittel</title></head><body>Hei</body>",
        "<template><p>skjult</p></template>Hei",
        "<SCRIPT TYPE='x'>skjult</SCRIPT >Hei",
        "</script></style>Hei",
    ],
)
def test_what_no_reader_sees_is_left_out(html: str) -> None:
    assert plain_text_of(html) == "Hei\n"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hei<p>på deg", "Hei\n\npå deg"),
        ("<b>Hei <i>på</b> deg</i>", "Hei på deg"),
        ("</p></div>Hei", "Hei"),
        ("Hei<!-- aldri lukket", "Hei"),
        ("<p class=>Hei</p>", "Hei"),
        ("<p/>Hei", "Hei"),
        ("Hei</p", "Hei"),
        ("<![if !mso]><p>Hei</p><![endif]>", "Hei"),
        ("<!--[if mso]><p>Outlook</p><![endif]-->Hei", "Hei"),
    ],
)
def test_broken_html_loses_no_text(html: str, text: str) -> None:
    assert plain_text_of(html).startswith(text)


@pytest.mark.parametrize("html", ["<![x[Hei", "Hei <![ ", "Hei <![& du"])
def test_a_marked_section_that_is_none_is_no_reason_to_fail(html: str) -> None:
    assert "Hei" in plain_text_of(html)


def test_a_link_that_is_never_closed_keeps_its_target() -> None:
    assert "https://etat.test/brev" in plain_text_of('<p>Les <a href="https://etat.test/brev">brevet</p>')


@settings(deadline=None, max_examples=200)
@given(BROKEN)
@example("<![x[")
def test_no_html_is_too_broken_to_read(html: str) -> None:
    text = plain_text_of(html)

    assert text.endswith("\n")


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<&")))
def test_text_without_markup_keeps_every_word(text: str) -> None:
    assert plain_text_of(text).split() == text.split()
