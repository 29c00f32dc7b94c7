import pytest

from varsel.sandbox.handler import Envelope, Recipient, Reply
from varsel.sandbox.smtp_commands import EXTENSIONS, decode_xtext, read_mail, read_recipient


def mail(argument: str) -> Envelope | Reply:
    return read_mail(argument, EXTENSIONS, size_limit=1_000)


def recipient(argument: str, *, smtputf8: bool = False) -> Recipient | Reply:
    return read_recipient(argument, EXTENSIONS, smtputf8=smtputf8)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:<>", Envelope("")),
        ("from: <A.b+C@d.test>", Envelope("A.b+C@d.test")),
        ('FROM:<"a b>\\""@d.test>', Envelope('"a b>\\""@d.test')),
        ("FROM:<a@b.test> SIZE=1000 BODY=8bitmime", Envelope("a@b.test")),
        ("FROM:<a@b.test>  ret=full  envid=x+2By+3D", Envelope("a@b.test", envid="x+y=", ret="FULL")),
        ("FROM:<å@b.test> SMTPUTF8", Envelope("å@b.test", smtputf8=True)),
        ("FROM:<a@b.test> ENVID=" + "x" * 100, Envelope("a@b.test", envid="x" * 100)),
    ],
)
def test_a_valid_mail_command_opens_an_envelope(argument: str, expected: Envelope) -> None:
    assert mail(argument) == expected


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("", 501),
        ("<a@b.test>", 501),
        ("FROM:a@b.test", 501),
        ("FROM:<a b@c.test>", 501),
        ("FROM:<a@b.test\n>", 501),
        ("FROM:<a@b.test>RET=HDRS", 501),
        ("FROM:<a@b.test> RET=HDRS RET=FULL", 501),
        ("FROM:<a@b.test> RET=SOME", 501),
        ("FROM:<a@b.test> BODY=BINARYMIME", 501),
        ("FROM:<a@b.test> SIZE=ten", 501),
        ("FROM:<a@b.test> SIZE=-1", 501),
        ("FROM:<a@b.test> SIZE=1001", 552),
        ("FROM:<a@b.test> ENVID=a=b", 501),
        ("FROM:<a@b.test> ENVID=a+0D+0Ab", 501),
        ("FROM:<a@b.test> ENVID=a+E5", 501),
        ("FROM:<a@b.test> ENVID=a+2b", 501),
        ("FROM:<a@b.test> ENVID=" + "x" * 101, 501),
        ("FROM:<å@b.test>", 550),
        ("FROM:<a@b.test> AUTH=<>", 555),
        ("FROM:<a@b.test> NOTIFY=NEVER", 555),
    ],
)
def test_a_faulty_mail_command_is_refused(argument: str, code: int) -> None:
    reply = mail(argument)

    assert isinstance(reply, Reply)
    assert reply.code == code


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("TO:<a@b.test>", Recipient("a@b.test")),
        ("TO:<a@b.test> NOTIFY=NEVER", Recipient("a@b.test", frozenset({"NEVER"}))),
        ("to:<a@b.test> notify=success,Delay", Recipient("a@b.test", frozenset({"SUCCESS", "DELAY"}))),
        ("TO:<a@b.test> ORCPT=rfc822;a+2Bb@c.test", Recipient("a@b.test", orcpt="rfc822;a+b@c.test")),
        ("TO:<a@b.test> ORCPT=utf-8;\\x{E5}@c.test", Recipient("a@b.test", orcpt="utf-8;å@c.test")),
    ],
)
def test_a_valid_rcpt_command_names_a_recipient(argument: str, expected: Recipient) -> None:
    assert recipient(argument) == expected


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("TO:<>", 501),
        ("FROM:<a@b.test>", 501),
        ("TO:<a@b.test> NOTIFY=", 501),
        ("TO:<a@b.test> NOTIFY=NEVER,SUCCESS", 501),
        ("TO:<a@b.test> NOTIFY=ALWAYS", 501),
        ("TO:<a@b.test> ORCPT=a@b.test", 501),
        ("TO:<a@b.test> ORCPT=;a@b.test", 501),
        ("TO:<a@b.test> ORCPT=rfc822;a@b.test+0D+0AX", 501),
        ("TO:<a@b.test> ORCPT=utf-8;\\x{0D}\\x{0A}x", 501),
        ("TO:<å@b.test>", 553),
        ("TO:<a@b.test> RET=HDRS", 555),
    ],
)
def test_a_faulty_rcpt_command_is_refused(argument: str, code: int) -> None:
    reply = recipient(argument)

    assert isinstance(reply, Reply)
    assert reply.code == code


def test_a_non_ascii_recipient_is_taken_in_an_smtputf8_transaction() -> None:
    assert recipient("TO:<blåbær@b.test>", smtputf8=True) == Recipient("blåbær@b.test")


def test_a_parameter_is_refused_when_its_extension_was_not_offered() -> None:
    without_dsn = [word for word in EXTENSIONS if word != "DSN"]

    reply = read_mail("FROM:<a@b.test> ENVID=x", without_dsn, size_limit=1_000)

    assert reply == Reply(555, "5.5.4 Unsupported option: ENVID")


def test_xtext_is_decoded_to_what_was_meant() -> None:
    assert decode_xtext("a+2Bb+3Dc") == "a+b=c"
