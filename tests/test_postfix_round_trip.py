"""What Postfix reports about a mail, from the recipient's own mail server to the status that the owner sees."""

import fcntl
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from tests.namespace import needs_namespace, run_in_namespace
from tests.postfix import needs_postfix
from tests.postfix_round_trip import DELAYED, LATE, REPORTED_ELSEWHERE, Outcome

pytestmark = [needs_postfix, needs_namespace]
LIMIT = 240.0  # seconds; a bound for what hangs in spite of the scenario's own limits

OutcomeOf = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Mapping[str, Outcome]:
    """What came of each recipient; played once, by the first process that asks, while others wait for it."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    result = shared / "postfix-round-trip.json"
    with (shared / "postfix-round-trip.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            result.write_bytes(_play())
    outcomes = msgspec.json.decode(result.read_bytes(), type=dict[str, Outcome] | str)
    if isinstance(outcomes, str):
        pytest.fail(outcomes, pytrace=False)
    return outcomes


def _play() -> bytes:
    """The outcomes as JSON, or the story of a failure."""
    with TemporaryDirectory(prefix="varsel-round-trip-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the embedded database's user passes through
        try:
            run_in_namespace("tests.postfix_round_trip", folder, limit=LIMIT)
        except RuntimeError as error:
            return msgspec.json.encode(str(error))
        return (folder / "outcomes.json").read_bytes()


@pytest.fixture
def outcome_of(outcomes: Mapping[str, Outcome]) -> OutcomeOf:
    def outcome_with_its_log(address: str) -> Outcome:
        print(outcomes[address].log)  # noqa: T201  # pytest shows it where the test fails
        return outcomes[address]

    return outcome_with_its_log


def test_a_mail_in_a_mailbox_of_the_relay_ends_delivered(outcome_of: OutcomeOf) -> None:
    outcome = outcome_of("kari@ok.test")

    assert outcome.status == "Delivered"
    assert _taken(outcome) == ["delivery status sent"]


def test_a_mail_that_was_relayed_to_an_mx_without_reports_ends_delivered(outcome_of: OutcomeOf) -> None:
    outcome = outcome_of("kari@mx.test")

    assert outcome.status == "Delivered"
    assert _taken(outcome) == ["delivery status sent"]


def test_an_mx_that_makes_reports_is_asked_for_them_and_until_then_the_mail_stays_succeeded(
    outcome_of: OutcomeOf,
) -> None:
    outcome = outcome_of(REPORTED_ELSEWHERE)

    assert outcome.statuses == ("Succeeded",)
    assert outcome.reports == ()
    assert outcome.asked_of_mx == ("DELAY", "FAILURE", "SUCCESS")


@pytest.mark.parametrize("address", ["unknown@mx.test", "ukjent-på-øya@mx.test"])
def test_a_recipient_whom_the_mx_does_not_know_ends_bounced(outcome_of: OutcomeOf, address: str) -> None:
    assert outcome_of(address).status == "Failed_Bounced"


def test_a_domain_that_does_not_exist_ends_bounced(outcome_of: OutcomeOf) -> None:
    assert outcome_of("kari@no-such-domain.test").status == "Failed_Bounced"


def test_a_domain_that_takes_no_mail_ends_bounced(outcome_of: OutcomeOf) -> None:
    assert outcome_of("kari@no-mail.test").status == "Failed_Bounced"


def test_a_full_mailbox_ends_failed(outcome_of: OutcomeOf) -> None:
    assert outcome_of("full@mx.test").status == "Failed"


def test_a_mail_that_the_mx_takes_for_spam_ends_filtered(outcome_of: OutcomeOf) -> None:
    assert outcome_of("spam@mx.test").status == "Failed_FilteredSpam"


def test_a_mail_that_is_reported_as_delayed_stays_succeeded_until_it_is_delivered(outcome_of: OutcomeOf) -> None:
    outcome = outcome_of(DELAYED)

    assert outcome.statuses == ("Succeeded", "Delivered")
    assert _taken(outcome) == ["delay sent", "delivery status sent"]


@pytest.mark.parametrize("address", ["never-at-home@mx.test", "kari@broken-name-server.test"])
def test_a_mail_that_is_delayed_until_the_relay_gives_up_ends_failed(outcome_of: OutcomeOf, address: str) -> None:
    outcome = outcome_of(address)

    assert outcome.statuses == ("Succeeded", "Failed")
    assert _taken(outcome) == ["delay sent", "non-delivery sent"]


def test_a_report_that_comes_while_nobody_listens_counts_once_somebody_does(outcome_of: OutcomeOf) -> None:
    outcome = outcome_of(LATE)

    assert outcome.statuses == ("Succeeded", "Failed_Bounced")
    assert "non-delivery deferred" in outcome.reports
    assert "non-delivery sent" in outcome.reports


def _taken(outcome: Outcome) -> list[str]:
    """Without the tries while the listener was down."""
    return [report for report in outcome.reports if report.endswith(" sent")]
