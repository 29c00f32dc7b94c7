"""The kill test's own judgement: it must notice each kind of loss, and nothing where there is none."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.chaos_check import WITHHELD, check, doublings, expected_status, without_a_kill
from bench.chaos_logs import held_up
from bench.chaos_recipients import address_of_number, number_of
from bench.chaos_records import Arrival, AskedOrder, Books, Broken, Promise, Shown, WorkerKill
from varsel.orders.send_condition import Condition
from varsel.sandbox.fates import Action

KARI, OLA = "silent+kari@sandbox.test", "bounced+ola@sandbox.test"
ASKED = AskedOrder("c1-1", (KARI, OLA), has_key=True, order_id="1")
SHOWN = Shown({"c1-1": ["1"]}, {"1": [(KARI, "Succeeded"), (OLA, "Failed_Bounced")]})
KILL = WorkerKill(at=12.0, in_flight=1)
MET, NOT_MET = replace(ASKED, condition=Condition.MET), replace(ASKED, condition=Condition.NOT_MET)
KEPT_BACK = Shown({"c1-1": ["1"]}, {"1": []}, {"1": WITHHELD})


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


def test_an_order_that_was_generated_twice_is_noticed_before_any_mail_of_it_comes_twice() -> None:
    shown = replace(SHOWN, notifications={"1": [*SHOWN.notifications["1"], *SHOWN.notifications["1"]]})

    broken = check([ASKED], books(), shown, [KILL])

    assert promises(broken) == [Promise.DOUBLED_NOTIFICATION]


def test_the_mails_of_an_order_that_was_generated_twice_are_noticed_though_a_worker_was_killed() -> None:
    seen = books()
    seen.arrivals[KARI].append(Arrival(16.0, "<k2>"))
    shown = replace(SHOWN, notifications={"1": [*SHOWN.notifications["1"], (KARI, "Succeeded")]})

    broken = check([ASKED], seen, shown, [KILL])

    assert promises(broken) == [Promise.DOUBLED_NOTIFICATION, Promise.ANOTHER_ID]


def test_a_recipient_whom_the_register_knows_and_who_was_not_identified_is_lost() -> None:
    shown = replace(SHOWN, notifications={"1": [("", "Failed_RecipientNotIdentified"), (OLA, "Failed_Bounced")]})

    broken = check([replace(ASKED, by_identity=True)], books(), shown, [])

    assert (Promise.ORDER, KARI) in [(item.promise, item.address) for item in broken]
    assert Promise.DOUBLED_NOTIFICATION not in promises(broken)


def test_a_notification_of_nobody_beside_all_recipients_is_noticed() -> None:
    shown = replace(SHOWN, notifications={"1": [*SHOWN.notifications["1"], ("", "Failed_RecipientNotIdentified")]})

    broken = check([ASKED], books(), shown, [])

    assert Promise.DOUBLED_NOTIFICATION in promises(broken)


def test_an_order_whose_condition_is_not_met_is_withheld_and_so_nothing_is_broken() -> None:
    assert check([NOT_MET], Books(), KEPT_BACK, []) == []


@pytest.mark.parametrize("status", ["Registered", "Processing", "Processed", "Completed", "Cancelled"])
def test_an_order_whose_condition_is_not_met_and_that_is_not_withheld_is_noticed(status: str) -> None:
    broken = check([NOT_MET], Books(), replace(KEPT_BACK, statuses={"1": status}), [])

    assert promises(broken) == [Promise.CONDITION]


@pytest.mark.parametrize("asked", [MET, NOT_MET])
def test_each_mail_of_a_withheld_order_is_noticed(asked: AskedOrder) -> None:
    seen = replace(books(), unanswered={"c1-1": 2})

    broken = check([asked], seen, KEPT_BACK, [])

    assert sorted((item.promise, item.address) for item in broken) == [
        (Promise.CONDITION, OLA),
        (Promise.CONDITION, KARI),
    ]


def test_a_notification_of_a_withheld_order_is_noticed_though_no_mail_has_come() -> None:
    shown = replace(KEPT_BACK, notifications={"1": [(KARI, "Failed")]})

    broken = check([NOT_MET], Books(), shown, [])

    assert promises(broken) == [Promise.CONDITION]


@pytest.mark.parametrize("asked", [ASKED, MET])
@pytest.mark.parametrize("in_vain", [0, 1])
def test_an_order_that_was_withheld_without_a_reason_is_noticed(asked: AskedOrder, in_vain: int) -> None:
    broken = check([asked], Books(unanswered={"c1-1": in_vain}), KEPT_BACK, [])

    assert promises(broken) == [Promise.CONDITION]


def test_an_order_may_be_withheld_where_its_endpoint_gave_no_answer_twice() -> None:
    assert check([MET], Books(unanswered={"c1-1": 2}), KEPT_BACK, []) == []


def test_an_order_may_be_sent_all_the_same_where_its_endpoint_gave_no_answer_twice() -> None:
    # A worker that was killed may have taken the knowledge of the first time with it.
    seen = replace(books(), unanswered={"c1-1": 2})

    assert check([MET], seen, replace(SHOWN, statuses={"1": "Completed"}), []) == []


def test_an_order_whose_condition_is_met_and_that_nobody_was_sent_is_lost() -> None:
    shown = replace(KEPT_BACK, statuses={"1": "Processing"})

    broken = check([MET], Books(), shown, [])

    assert set(promises(broken)) == {Promise.ORDER, Promise.MAIL}


@pytest.mark.parametrize("subject", ["", "Vedtak til $recipientName$", "Vedtak til Mottaker 90000701000"])
def test_a_mail_without_its_recipients_own_name_is_noticed(subject: str) -> None:
    number = number_of(7, 0, "silent")
    address = address_of_number(number)
    asked = AskedOrder("c1-7", (address,), has_key=True, order_id="7", subject="Vedtak til $recipientName$")
    shown = Shown({"c1-7": ["7"]}, {"7": [(address, "Succeeded")]})

    right = Books({address: [Arrival(10.0, "<s>", f"Vedtak til Mottaker {number}")]})
    wrong = Books({address: [Arrival(10.0, "<s>", subject)]})

    assert check([asked], right, shown, []) == []
    assert promises(check([asked], wrong, shown, [])) == [Promise.SUBJECT]


def test_orders_put_back_are_counted_one_by_one_also_from_a_log_that_a_kill_has_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '{"orders": 3, "event": "orders put back: their worker is gone", "level": "warning"}\n'
        '{"order": "1", "reason": "contact register: ConnectEr{"orders": 2, "event": "orders put back: their worker is'
        ' gone", "level": "warning"}\n'
        '{"order": "1", "reason": "contact register: ConnectError", "event": "order delayed", "level": "warning"}\n'
        '{"orders": ["1", "2"], "recipients": [1, 1], "event": "orders placed", "level": "info"}\n'
    )

    assert held_up([log]) == {"orders put back: their worker is gone": 5, "order delayed": 1}
