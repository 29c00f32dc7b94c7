"""What libraries, event loops and Python itself say of an error reaches the log without its words."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import pytest
import uvloop

from tests.log_privacy import kinds_of

ADDRESS = "kari@etat.test"
UNCAUGHT = f"""
import threading
from varsel.cli import main

class Odd:
    def __del__(self):
        fail()

def fail():
    raise ValueError("{ADDRESS}")

main(["settings"])
thread = threading.Thread(target=fail)
thread.start()
thread.join()
Odd()
fail()
"""

Lines = Callable[[], list[dict[str, Any]]]
each_loop = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Reads what was logged."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def fail(address: str) -> None:
    raise ValueError(f"{address} has no mailbox")


async def leave_a_task() -> None:
    async def fail_soon() -> None:
        fail(ADDRESS)

    await asyncio.wait([asyncio.create_task(fail_soon())])


async def leave_a_callback() -> None:
    asyncio.get_running_loop().call_soon(partial(fail, ADDRESS))
    await asyncio.sleep(0)


@each_loop
def test_an_error_that_nobody_fetched_is_logged_without_its_words(
    new_loop: Callable[[], asyncio.AbstractEventLoop], lines: Lines
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(leave_a_task())

    [line] = lines()
    assert (line["event"], line["raised"]) == ("Task exception was never retrieved", "ValueError")
    assert line["at"][-1].endswith(" fail")
    assert ADDRESS not in str(line)


@each_loop
def test_a_callback_that_fails_is_logged_without_its_arguments(
    new_loop: Callable[[], asyncio.AbstractEventLoop], lines: Lines
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(leave_a_callback())

    [line] = lines()
    assert line["event"].startswith("Exception in callback ")
    assert line["raised"] == "ValueError"
    assert ADDRESS not in str(line)


@pytest.mark.parametrize(
    ("message", "values", "event"),
    [
        ("Invalid HTTP request received.", (), "Invalid HTTP request received."),
        ("%s is not the address of %r", (ADDRESS, "Kari"), "%s is not the address of %r"),
        (f"PROXY error: {ADDRESS}", (), "PROXY error"),
        (f"'{ADDRESS}' has no mailbox", (), "a library has something to say"),
        (OSError(ADDRESS), (), "OSError"),
    ],
)
def test_a_librarys_warning_says_what_and_where_but_not_about_whom(
    message: object, values: tuple[object, ...], event: str, lines: Lines
) -> None:
    logging.getLogger("a.library").warning(message, *values)

    [line] = lines()
    assert (line["event"], line["logger"], line["level"]) == (event, "a.library", "warning")
    assert line["source"].startswith(f"{__file__}:")
    assert ADDRESS not in str(line)


def test_our_most_talkative_level_does_not_show_the_urls_of_requests(lines: Lines) -> None:
    with httpx2.Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(200))) as client:
        client.get("http://kari:hemmelig@relay.test/?token=hemmelig")

    assert lines() == []


def test_what_nobody_catches_is_a_log_line_without_its_words() -> None:
    ended = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True)

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert [line["raised"] for line in lines] == ["ValueError"] * 3
    assert kinds_of(ended.stderr) == []
