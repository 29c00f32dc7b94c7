import re
from pathlib import Path

import pytest

from varsel.sandbox.fates import FATES, Fate, fate_of

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("bounced@sandbox.test", "bounced"),
        ("BOUNCED@Sandbox.TEST", "bounced"),
        ("bounced+7@sandbox.test", "bounced"),
        ("bounced@north.sandbox.test", "bounced"),
        ("bounced-7@sandbox.test", "delivered"),
        ("nobody@sandbox.test", "delivered"),
        ("bounced@example.no", "delivered"),
        ("bounced@notsandbox.test", "delivered"),
        ("bounced@sandbox.test.example.no", "delivered"),
        ("bounced", "delivered"),
        ("", "delivered"),
    ],
)
def test_the_address_chooses_the_fate(address: str, name: str) -> None:
    assert fate_of(address).name == name


def test_every_fate_has_a_name_that_an_address_can_have() -> None:
    assert all(fate_of(f"{name}@sandbox.test") is fate for name, fate in FATES.items())


@pytest.mark.parametrize("fate", FATES.values(), ids=FATES)
def test_the_page_tells_the_story_of_every_fate(fate: Fate) -> None:
    row = f"| `{fate.name}@` | {fate.story} | `{fate.send_status}` |"

    assert row in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_tells_of_no_other_fate() -> None:
    names = re.findall(r"^\| `(\w+)@` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert names == list(FATES)
