"""The contract's sentence for each status: byte for byte, its spelling and its two kinds of apostrophe included."""

from varsel.notifications.send_status import SendStatus
from varsel.orders.order import OrderStatus

SEND_STATUS = {
    SendStatus.NEW: "The email has been created, but has not been picked up for processing yet.",
    SendStatus.SENDING: "The email is being processed and will be attempted sent shortly.",
    SendStatus.SUCCEEDED: "The email has been accepted by the third party email service and will be sent shortly.",
    SendStatus.DELIVERED: (
        "The email was delivered to the recipient. No errors reported, making it likely it was received by the"
        " recipient."
    ),
    SendStatus.FAILED: "The email was not sent due to an unspecified failure.",
    SendStatus.FAILED_RECIPIENT_RESERVED: (
        "The email was not sent because the recipient has reserved themselves from electronic communication."
    ),
    SendStatus.FAILED_RECIPIENT_NOT_IDENTIFIED: (
        "The email was not sent because the recipient's email address was not found."
    ),
    SendStatus.FAILED_INVALID_EMAIL_FORMAT: (
        "The email was not sent because the recipient’s email address is in an invalid format."
    ),
    SendStatus.FAILED_SUPPRESSED_RECIPIENT: (
        "The email was not sent because the recipient’s email address is suppressed by the third party email service."
    ),
    SendStatus.FAILED_BOUNCED: (
        "The email hard bounced, which may have happened because the email address does not exist or the domain is"
        " invalid."
    ),
    SendStatus.FAILED_FILTERED_SPAM: (
        "The email was identified as spam, and was rejected or blocked (not quarantined)."
    ),
    SendStatus.FAILED_QUARANTINED: "The email was quarantined (as spam, bulk mail, or phising).",
    SendStatus.FAILED_TTL: (
        "The email was in indefinite state Succeeded for too long (TTL), and was subsequently set to failed."
    ),
    SendStatus.FAILED_INVALID_SAS_URL: (
        "The email was not sent because one or more attachment SAS URLs are invalid, expired, or inaccessible."
    ),
    SendStatus.FAILED_PAYLOAD_TOO_LARGE: (
        "The email was not sent because the total size of the attachments exceeds the allowed limit."
    ),
}

ORDER_STATUS = {
    OrderStatus.REGISTERED: ("Order has been registered and is awaiting requested send time before processing."),
    OrderStatus.PROCESSING: "Order processing is ongoing. Notifications are being generated.",
    OrderStatus.PROCESSED: "Order processing is done. Notifications have been successfully generated.",
    OrderStatus.COMPLETED: "Order processing is completed. All notifications have a final status.",
    OrderStatus.SEND_CONDITION_NOT_MET: "Order processing was stopped due to send condition not being met.",
    OrderStatus.CANCELLED: "Order processing was stopped due to order being cancelled.",
}


def shown_send_status(status: SendStatus) -> str:
    """Version 1 has no name for the time-out: it shows as Failed, told apart by its description only."""
    return SendStatus.FAILED if status is SendStatus.FAILED_TTL else status


def shown_order_status(status: OrderStatus) -> str:
    """Version 1 never shows Processed: it shows as Completed, told apart by its description only."""
    return OrderStatus.COMPLETED if status is OrderStatus.PROCESSED else status
