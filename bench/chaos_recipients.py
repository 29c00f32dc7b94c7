"""The recipients of the kill test: what becomes of their mail, and for those who have one, their identity number.

A number alone decides its address, so the register that the kill test plays knows everybody:

    9 23456 789 01    nobody's: no day begins with a 9
      │     │   └─ fate
      │     └ recipient of the order
      └ order
"""

from bench.chaos_relay import EARLY
from varsel.sandbox.fates import DOMAIN

# What the recipients' names ask of the relay, and how often. Silent ones have no report that could settle a doubt.
FATES = {
    "delivered": 25,
    f"delivered{EARLY}": 10,
    "bounced": 6,
    f"bounced{EARLY}": 4,
    "relayed": 8,
    "delayed": 8,
    "twice": 7,
    "late": 5,
    "deferred": 2,
    "silent": 25,
}
SILENT = "silent"
NAME = "$recipientName$"  # in a subject: the name that the register knows

_NAMES = list(FATES)


def address_of(fate: str, who: str) -> str:
    """The address of somebody whose mail meets this fate."""
    return f"{fate}+{who}@{DOMAIN}"


def number_of(order: int, recipient: int, fate: str) -> str:
    """The national identity number of one recipient of one order; no other has it."""
    return f"9{order:05}{recipient:03}{_NAMES.index(fate):02}"


def address_of_number(number: str) -> str:
    """The one address that the register knows for the number, whatever its digits."""
    return address_of(_NAMES[int(number[-2:]) % len(_NAMES)], number)


def name_of_number(number: str) -> str:
    """The name that the register knows for the number."""
    return f"Mottaker {number}"


def subject_for(address: str, subject: str) -> str:
    """An order's subject as the recipient with this address must get it."""
    number = address.removesuffix(f"@{DOMAIN}").rpartition("+")[2]
    return subject.replace(NAME, name_of_number(number))
