"""Answers that nobody wrote change nothing, in whatever language and however much they sound like a failure."""

from base64 import b64encode

import pytest

from tests.delivery_reports.samples import new_answer, new_bounce
from varsel.delivery_reports.read import read_report
from varsel.notifications.send_status import SendStatus

SUBJECTS = """
Automatic reply: Hei
Re: Out of Office: Hei
Out of office
Autosvar: Hei
Fravær: Hei
Automatisk svar: Hei
Automatische Antwort: Hei
Abwesenheitsnotiz
Réponse automatique : Hei
Respuesta automática: Hei
Automatisch antwoord: Hei
Frånvarande
自動応答: Hei
"""
SOUNDS_LIKE_FAILURE = (
    "I cannot be reached; your message could not be delivered. My old mailbox is disabled, user unknown."
)


@pytest.mark.parametrize("subject", SUBJECTS.strip().split("\n"))
@pytest.mark.parametrize("encoded", [False, True])
def test_an_answer_for_somebody_away_is_known_by_its_subject(subject: str, encoded: bool) -> None:
    if encoded:
        subject = f"=?utf-8?B?{b64encode(subject.encode()).decode()}?="

    [reading] = read_report(new_answer(subject=subject, text=SOUNDS_LIKE_FAILURE)).readings

    assert (reading.outcome, reading.rule) == ("none", "automatic answer: subject")
    assert reading.recipient == "kari@etat.test"


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied\n",
        "Auto-Submitted: auto-replied (vacation)\n",
        "Precedence: auto_reply\n",
        "X-Autoreply: yes\n",
        "X-Autorespond: Hei\n",
    ],
)
def test_an_answer_for_somebody_away_is_known_by_its_header(header: str) -> None:
    [reading] = read_report(new_answer(headers=header, text=SOUNDS_LIKE_FAILURE)).readings

    assert (reading.outcome, reading.rule) == ("none", "automatic answer: header")


def test_a_bounce_that_calls_itself_an_automatic_answer_is_one() -> None:
    # Exim does.
    content = new_bounce("  kari@etat.test\n    550 User unknown\n", headers="Auto-Submitted: auto-replied\n")

    [reading] = read_report(content).readings

    assert reading.outcome is SendStatus.FAILED_BOUNCED


def test_our_own_subject_in_a_report_makes_no_answer_of_it() -> None:
    content = new_bounce("  kari@etat.test\n    550 User unknown\n", subject="Undeliverable: Out of office in July")

    [reading] = read_report(content).readings

    assert reading.outcome is SendStatus.FAILED_BOUNCED
