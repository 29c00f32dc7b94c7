"""The kill test's own judgement: it must notice each kind of loss, and nothing where there is none."""

from dataclasses import replace

import pytest

from bench.chaos_check import check, doublings, expected_status, without_a_kill
from bench.chaos_records import Arrival, AskedOrder, Books, Broken, Promise, Shown, WorkerKill
from varsel.sandbox.fates import Action

KARI, OLA = "silent+kari@sandbox.test", "bounced+ola@sandbox.test"
ASKED = AskedOrder("c1-1", (KARI, OLA), has_key=True, order_id="1")
SHOWN = Shown({"c1-1": ["1"]}, {"1": [(KARI, "Succeeded"), (OLA, "Failed_Bounced")]})
KILL = WorkerKill(at=12.0, in_flight=1)


def books() -> Books:
    """Both mails at the relay once, and the report on Ola's was answered 250."""
    return Books({KARI: [Arrival(10.0, "<k>")], OLA: [Arrival(10.0, "<o>")]}, {OLA: [Action.FAILED]})


def promises(broken: list[Broken]) -> list[Promise]:
    return [item.promise for item in broken]


def statuses(kari: str, ola: str) -> Shown:
    return replace(SHOWN, notifications={"1": [(KARI, kari), (OLA, ola)]})


def test_nothing_is_broken_where_all_was_kept() -> None:
    assert check([ASKED], books(), SHOWN, []) == []


def test_an_order_that_was_answered_and_is_not_there_is_lost() -> None:
    shown = Shown({"c1-1": []}, {})

    broken = check([ASKED], Books(), shown, [])

    assert promises(broken) == [Promise.ORDER]


def test_an_order_that_was_never_answered_may_be_missing() -> None:
    shown = Shown({"c1-1": []}, {})

    assert check([replace(ASKED, order_id=None)], Books(), shown, []) == []


def test_an_order_that_is_there_without_a_recipient_is_lost_though_nobody_was_answered() -> None:
    seen = books()
    del seen.arrivals[OLA]
    shown = replace(SHOWN, notifications={"1": [(KARI, "Succeeded")]})

    broken = check([replace(ASKED, order_id=None)], seen, shown, [])

    assert (Promise.ORDER, OLA) in [(item.promise, item.address) for item in broken]


@pytest.mark.parametrize("has_key", [True, False])
def test_an_order_that_is_there_twice_is_noticed(has_key: bool) -> None:
    shown = Shown({"c1-1": ["1", "2"]}, {"1": SHOWN.notifications["1"], "2": SHOWN.notifications["1"]})

    broken = check([replace(ASKED, has_key=has_key)], books(), shown, [])

    assert promises(broken) == [Promise.DOUBLED_ORDER]


def test_a_mail_that_never_reached_the_relay_is_lost_whatever_its_status() -> None:
    seen = books()
    del seen.arrivals[KARI]

    broken = check([ASKED], seen, SHOWN, [])

    assert [(item.promise, item.order_id, item.address) for item in broken] == [(Promise.MAIL, "1", KARI)]


@pytest.mark.parametrize("status", ["New", "Sending"])
def test_a_notification_that_is_still_open_is_noticed(status: str) -> None:
    broken = check([ASKED], books(), statuses(status, "Failed_Bounced"), [])

    assert promises(broken) == [Promise.OPEN]


@pytest.mark.parametrize("status", ["Succeeded", "Delivered", "Failed"])
def test_a_report_that_was_answered_and_does_not_show_is_lost(status: str) -> None:
    broken = check([ASKED], books(), statuses("Succeeded", status), [])

    assert promises(broken) == [Promise.REPORT]


def test_a_status_that_no_report_speaks_for_is_noticed() -> None:
    broken = check([ASKED], books(), statuses("Delivered", "Failed_Bounced"), [])

    assert promises(broken) == [Promise.REPORT]


@pytest.mark.parametrize(
    ("answered", "status"),
    [
        ([], "Succeeded"),
        ([Action.DELAYED], "Succeeded"),
        ([Action.DELAYED, Action.DELIVERED], "Delivered"),
        ([Action.RELAYED], "Delivered"),
        ([Action.DELIVERED, Action.FAILED], "Failed_Bounced"),
        ([Action.FAILED, Action.DELIVERED], "Failed_Bounced"),
    ],
)
def test_a_failure_overrules_a_delivery_and_a_delay_says_nothing(answered: list[Action], status: str) -> None:
    assert expected_status(answered) == status


def test_a_mail_of_no_order_is_noticed() -> None:
    seen = books()
    seen.arrivals["silent+nobody@sandbox.test"] = [Arrival(10.0, "<n>")]

    broken = check([ASKED], seen, SHOWN, [])

    assert promises(broken) == [Promise.STRAY]


def test_a_mail_that_a_killed_worker_had_in_flight_may_come_again() -> None:
    seen = books()
    seen.arrivals[KARI].append(Arrival(16.0, "<k>"))

    assert check([ASKED], seen, SHOWN, [KILL]) == []


@pytest.mark.parametrize("kills", [[], [replace(KILL, at=8.0)], [replace(KILL, at=17.0)], [replace(KILL, in_flight=0)]])
def test_a_mail_that_comes_again_without_a_kill_in_between_is_noticed(kills: list[WorkerKill]) -> None:
    seen = books()
    seen.arrivals[KARI].append(Arrival(16.0, "<k>"))

    broken = check([ASKED], seen, SHOWN, kills)

    assert promises(broken) == [Promise.DOUBLED_MAIL]


def test_more_doubled_mails_than_a_kill_had_in_flight_are_noticed() -> None:
    seen = books()
    seen.arrivals[KARI].append(Arrival(16.0, "<k>"))
    seen.arrivals[OLA].append(Arrival(16.1, "<o>"))

    broken = check([ASKED], seen, SHOWN, [KILL])

    assert promises(broken) == [Promise.DOUBLED_MAIL]


def test_each_kill_stands_for_its_own_doubled_mails_only() -> None:
    seen = Books({KARI: [Arrival(1.0, "<k>"), Arrival(30.0, "<k>")], OLA: [Arrival(1.0, "<o>"), Arrival(9.0, "<o>")]})
    early, late = WorkerKill(at=5.0, in_flight=1), WorkerKill(at=20.0, in_flight=1)

    # Kari's may be charged to either kill, Ola's to the early one only.
    assert without_a_kill(doublings(seen), [late, early]) == []
    assert [doubled.address for doubled in without_a_kill(doublings(seen), [early])] == [KARI]
    assert [doubled.address for doubled in without_a_kill(doublings(seen), [late])] == [OLA]


def test_a_mail_that_comes_again_under_another_message_id_is_noticed_whatever_was_killed() -> None:
    seen = books()
    seen.arrivals[KARI].append(Arrival(16.0, "<k2>"))

    broken = check([ASKED], seen, SHOWN, [KILL])

    assert promises(broken) == [Promise.ANOTHER_ID]


def test_two_recipients_under_one_message_id_are_noticed() -> None:
    seen = books()
    seen.arrivals[OLA] = [Arrival(10.0, "<k>")]

    broken = check([ASKED], seen, SHOWN, [])

    assert promises(broken) == [Promise.ANOTHER_ID]
