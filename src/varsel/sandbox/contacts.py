"""Who the sandbox's registers know, and what becomes of them: the one table, which the documentation shows too.

All of them are made up. A person's number has a month beyond the calendar (80 is added to it, as in the tax agency's
test data), so it is nobody's; an organisation's begins with 31, and real ones begin with 8 or 9. Control digits are
right, so clients that check them are content. Addresses choose a fate of the sandbox mail server.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

MOBILE = "+4799999999"  # nobody is called: SMS is not built


class Lookup(Enum):
    """How the contact register meets a lookup that includes a person."""

    ANSWERED = "answered"
    SLOW = "slow"  # answered only after a while
    FALTERING = "faltering"  # in every four the second and the third are refused
    REFUSED = "refused"  # always


@dataclass(frozen=True, slots=True)
class Person:
    """A person, by default one whom the contact register knows and tells at once."""

    number: str  # 11 digits
    user_id: int
    name: str | None  # None: the name register does not know it
    story: str  # for the user: what the registers do
    send_statuses: tuple[str, ...]  # what an order by e-mail to this person alone then shows
    email: str = ""
    mobile: str = ""
    is_reserved: bool = False
    lookup: Lookup = Lookup.ANSWERED


@dataclass(frozen=True, slots=True)
class User:
    """A person who has registered an address for their work for an organisation."""

    person: Person
    email: str
    may_act: bool  # what the policy decision point says


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation, with its official addresses and those of its users."""

    number: str  # 9 digits
    party_id: int
    name: str | None
    story: str
    send_statuses: tuple[str, ...]  # of an order that names a resource, so that users count too
    emails: tuple[str, ...] = ()
    mobiles: tuple[str, ...] = ()
    users: tuple[User, ...] = ()


KARI = Person(
    "01818011039",
    20001,
    "Kari Nordmann",
    "Has an address and a mobile number.",
    ("Delivered",),
    email="delivered+kari@sandbox.test",
    mobile=MOBILE,
)
OLA = Person(
    "02818011078",
    20002,
    "Ola Nordmann",
    "Has an address and no mobile number.",
    ("Delivered",),
    email="delivered+ola@sandbox.test",
)

_PERSONS = (
    KARI,
    OLA,
    Person(
        "03818011007",
        20003,
        "Rolf Reservert",
        "Has an address, but is reserved: mailed only by an order with `ignoreReservation`.",
        ("Failed_RecipientReserved",),
        email="delivered+rolf@sandbox.test",
        mobile=MOBILE,
        is_reserved=True,
    ),
    Person(
        "04818011046",
        20004,
        "Unni Utenom",
        "Is known, but has neither address nor mobile number.",
        ("Failed_RecipientNotIdentified",),
    ),
    Person(
        "05818011085",
        20005,
        "Mona Mobil",
        "Has a mobile number only.",
        ("Failed_RecipientNotIdentified",),
        mobile=MOBILE,
    ),
    Person(
        "06818011014",
        20006,
        "Birger Borte",
        "Has an address that bounces.",
        ("Failed_Bounced",),
        email="bounced+birger@sandbox.test",
    ),
    Person(
        "07818011053",
        20007,
        None,
        "Has an address, but the name register does not know the name.",
        ("Delivered",),
        email="delivered+nameless@sandbox.test",
    ),
    Person(
        "08818011092",
        20008,
        "Sverre Sein",
        "Has an address, but a lookup that includes him takes two seconds.",
        ("Delivered",),
        email="delivered+sverre@sandbox.test",
        lookup=Lookup.SLOW,
    ),
    Person(
        "09818011021",
        20009,
        "Ståle Ustø",
        "Has an address, but of every four lookups that include him the second and the third get 503.",
        ("Delivered",),
        email="delivered+staale@sandbox.test",
        lookup=Lookup.FALTERING,
    ),
    Person(
        "10818011070",
        20010,
        "Nina Nede",
        "Every lookup that includes her gets 503.",
        (),
        email="delivered+nina@sandbox.test",
        lookup=Lookup.REFUSED,
    ),
)

_ORGANIZATIONS = (
    Organization(
        "310300004",
        50001,
        "Enkel Bedrift AS",
        "Has one address.",
        ("Delivered",),
        emails=("delivered+enkel@sandbox.test",),
        mobiles=(MOBILE,),
    ),
    Organization(
        "310400009",
        50002,
        "Mange Adresser AS",
        "Has two addresses, and one of them twice in different letter case.",
        ("Delivered", "Delivered"),
        emails=("delivered+post@sandbox.test", "Delivered+Post@Sandbox.test", "delivered+arkiv@sandbox.test"),
    ),
    Organization(
        "310500003",
        50003,
        "Adresseløs Stiftelse",
        "Is known, but has no address.",
        ("Failed_RecipientNotIdentified",),
    ),
    Organization(
        "310600008",
        50004,
        "Halvveis Havn KF",
        "Has two addresses, and the first one bounces.",
        ("Failed_Bounced", "Delivered"),
        emails=("bounced+havn@sandbox.test", "delivered+havn@sandbox.test"),
    ),
    Organization(
        "310700002",
        50005,
        "Bare Brukere SA",
        "Has no official address; two users have registered theirs, of whom Kari may act and Ola may not.",
        ("Delivered",),
        users=(
            User(KARI, "delivered+kari.brukere@sandbox.test", may_act=True),
            User(OLA, "delivered+ola.brukere@sandbox.test", may_act=False),
        ),
    ),
    Organization(
        "310800007",
        50006,
        "Overlapp og Sønn ANS",
        "Has an official address, which Kari has registered too in different letter case; Ola has another. Both may"
        " act.",
        ("Delivered", "Delivered"),
        emails=("delivered+overlapp@sandbox.test",),
        users=(
            User(KARI, "Delivered+Overlapp@Sandbox.test", may_act=True),
            User(OLA, "delivered+ola.overlapp@sandbox.test", may_act=True),
        ),
    ),
    Organization(
        "310900001",
        50007,
        None,
        "Has one address, but the name register does not know the name.",
        ("Delivered",),
        emails=("delivered+unnamed@sandbox.test",),
    ),
)

PERSONS: Mapping[str, Person] = {person.number: person for person in _PERSONS}
ORGANIZATIONS: Mapping[str, Organization] = {organization.number: organization for organization in _ORGANIZATIONS}


def persons_among(numbers: Iterable[str]) -> list[Person]:
    """Those of the numbers that are a test person's, each once, and not in the order that was asked for."""
    wanted = frozenset(numbers)
    return [person for number, person in PERSONS.items() if number in wanted]


def organizations_among(numbers: Iterable[str]) -> list[Organization]:
    """Those of the numbers that are a test organisation's, each once, and not in the order that was asked for."""
    wanted = frozenset(numbers)
    return [organization for number, organization in ORGANIZATIONS.items() if number in wanted]
