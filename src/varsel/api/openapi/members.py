"""What each member of a body means: one word for one thing, so one sentence for one name wherever it stands."""

from collections.abc import Mapping
from typing import Any

_KEYWORDS = (
    "`$recipientName$` and `$recipientNumber$` become the name and the number of a recipient who is ordered by identity"
    " and known by name; the number of a person is left out."
)
_MEANINGS = {
    "body": f"The text of the e-mail. {_KEYWORDS}",
    "conditionEndpoint": 'A public URL that is asked before sending: it answers {"sendNotification": true} or false.',
    "contentType": "What the body is: `Plain` (0) or `Html` (1). Null or absent: `Plain`.",
    "count": "How many orders there are.",
    "created": "When the order was placed.",
    "creator": "The owner: the short name of the service owner who placed the order.",
    "description": "What the status means, in the contract's words.",
    "email": "The sums of the e-mails.",
    "emailAddress": (
        "Where the e-mail goes. Spaces around it are left out of the check. It must be an address that a mail server"
        " can deliver to; names that are never on the internet, such as `.local`, are refused unless the service is"
        " set up for them."
    ),
    "emailTemplate": "The message.",
    "errors": (
        "The messages by place: `$`-paths for JSON that cannot be read, the name of a parameter, or a member such as"
        " `Recipients[0].EmailAddress`."
    ),
    "fromAddress": "The sender, an address alone or in angle brackets behind a name. Empty: the service's own.",
    "generated": "How many notifications were generated.",
    "id": "The id, which the service gave.",
    "ignoreReservation": "Whether to reach people who have reserved themselves against electronic communication.",
    "isReserved": "Who has reserved themselves against electronic communication, by national identity number.",
    "lastUpdate": "Since when the status stands; of an order that is `Processing`, when it was placed.",
    "links": "Where to read more.",
    "missingContact": "Whom the contact register knows no address of, by identity.",
    "mobileNumber": "Not used for e-mail, and not taken beside an identity.",
    "nationalIdentityNumber": "A person; not together with any other member.",
    "notificationChannel": "How the recipients are reached.",
    "notifications": "Every notification, in no particular order; `id` tells them apart.",
    "notificationsStatusSummary": "The sums of each channel; absent while there are no notifications.",
    "orderId": "The id of the order.",
    "orders": "The orders, in no particular order.",
    "organizationNumber": "An organisation; not together with any other member.",
    "processingStatus": "Where the order stands.",
    "recipient": "Whom the notification is for.",
    "recipientLookup": "What the contact register knew; absent where every recipient has an address.",
    "recipients": "Whom to reach, one to many.",
    "requestedSendTime": (
        "When to send: ISO 8601 with `Z` or an offset. It may lie five minutes in the past. Absent: at once."
    ),
    "resourceAction": "What the recipient may do with the resource; only together with `resourceId`.",
    "resourceId": "The resource that the order is about.",
    "self": "Where this is read.",
    "sendNotification": "Whether the notifications of the order are to be sent.",
    "sendStatus": "Where the sending stands.",
    "sendersReference": "The owner's own id for the order; it need not be unique.",
    "status": "The word for it.",
    "subject": f"The subject. Line breaks become spaces. {_KEYWORDS}",
    "succeeded": "How many were at least taken by the relay: `Succeeded` and `Delivered`.",
    "title": "What is wrong, in short.",
    "traceId": "Tells this answer from every other one.",
    "type": "Where this kind of problem is defined.",
}
_MEANINGS_IN = {
    ("NotificationView", "succeeded"): "Whether it was at least taken by the relay: `Succeeded` or `Delivered`.",
    ("OrderLinks", "status"): "Where the status of the order is read.",
    ("Problem", "status"): "The HTTP status of the answer.",
    ("ValidationProblem", "status"): "The HTTP status of the answer.",
    ("OrderRequest", "notificationChannel"): (
        "How to reach the recipients: `Email` (0). The contract has `Sms` (1), `EmailPreferred` (2), `SmsPreferred`"
        " (3) and `EmailAndSms` (4) too, which are not built yet and answered with 400."
    ),
    ("RecipientRequest", "isReserved"): "Taken and ignored: the contact register knows better.",
    ("RecipientView", "emailAddress"): (
        "Where the e-mail goes. In a summary it is always there, and empty where no address was found or the person is"
        " reserved."
    ),
    ("RecipientView", "nationalIdentityNumber"): "The person that was ordered.",
    ("RecipientView", "organizationNumber"): "The organisation that was ordered.",
}


def describe_members(schemas: Mapping[str, dict[str, Any]]) -> None:
    """Give each member of each schema its meaning.

    Raises:
        KeyError: there is none for a member.
    """
    for name, schema in schemas.items():
        members = schema.get("properties", {})
        for member in members:
            meaning = _MEANINGS_IN.get((name, member)) or _MEANINGS[member]
            members[member] = members[member] | {"description": meaning}
