"""Check whom an order is for: each recipient needs one way to be reached, and only one."""

import re
from collections import defaultdict
from collections.abc import Sequence, Set
from typing import TypeAlias

from varsel.api.wire import RecipientRequest
from varsel.email_address import is_deliverable

Reasons: TypeAlias = "defaultdict[str, list[str]]"  # messages by the key of the member that they concern

ERRORS_LIMIT = 200  # messages in one answer, as the original

NO_WAY_TO_REACH = (
    "Either a valid email address, organization number, or national identity number must be provided for each"
    " recipient."
)


def check_recipients(recipients: Sequence[RecipientRequest], internal_domains: Set[str], reasons: Reasons) -> None:
    """Add what is wrong with any of them to the reasons; stops where no answer could hold more."""
    if not recipients:
        reasons["Recipients"].append("One or more recipient is required.")
    for index, recipient in enumerate(recipients):
        if recipient.email_address and not (recipient.organization_number or recipient.national_identity_number):
            # The usual case, alone on the path that an order of 100,000 takes.
            if not is_deliverable(recipient.email_address, internal_domains):
                reasons[f"Recipients[{index}].EmailAddress"].append("Invalid email address format.")
        else:
            _check_identity(recipient, f"Recipients[{index}]", internal_domains, reasons)
        if len(reasons) >= ERRORS_LIMIT:
            return


def _check_identity(recipient: RecipientRequest, key: str, internal_domains: Set[str], reasons: Reasons) -> None:
    person, organization = recipient.national_identity_number, recipient.organization_number
    if not (recipient.email_address or person or organization):
        reasons[key].append(NO_WAY_TO_REACH)
    if person and (recipient.email_address or recipient.mobile_number or organization):
        reasons[key].append(
            "National identity number cannot be combined with email address, mobile number, or organization number."
        )
    if organization and (recipient.email_address or recipient.mobile_number or person):
        reasons[key].append(
            "Organization number cannot be combined with email address, mobile number, or national identity number."
        )
    if recipient.email_address and not is_deliverable(recipient.email_address, internal_domains):
        reasons[f"{key}.EmailAddress"].append("Invalid email address format.")
    if person and not re.fullmatch(r"\d{11}", person, re.ASCII):
        reasons[f"{key}.NationalIdentityNumber"].append("National identity number must be 11 digits long.")
    if organization and not re.fullmatch(r"\d{9}", organization, re.ASCII):
        reasons[f"{key}.OrganizationNumber"].append("Organization number must be 9 digits long.")
