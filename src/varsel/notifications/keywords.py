"""Keywords in subject and body, which become each recipient's own: $recipientName$ and $recipientNumber$.

They stand for recipients who were ordered by identity and are known by name; for all others the text stays as it is.
The number of an organisation is shown, that of a person never.
"""

import re
from dataclasses import replace
from html import escape

from varsel.notifications.compose import Content, render
from varsel.notifications.rendered_messages import Message, same_for_all
from varsel.notifications.send_status import Claim

NAME, NUMBER = "$recipientName$", "$recipientNumber$"
KEYWORDS = (NAME, NUMBER)

_KEYWORD = re.compile("|".join(map(re.escape, KEYWORDS)))


def with_keywords(content: Content) -> Message:
    """The message of each recipient; where there are no keywords, rendered once for all."""
    as_written = same_for_all(content)
    if not _KEYWORD.search(content.subject) and not _KEYWORD.search(content.body):
        return as_written
    return lambda claim: as_written(claim) if claim.recipient_name is None else render(_addressed(content, claim))


def _addressed(content: Content, claim: Claim) -> Content:
    values = {NAME: claim.recipient_name or "", NUMBER: claim.organization_number or ""}
    in_html = {keyword: escape(value) for keyword, value in values.items()}
    # In one pass: what looks like a keyword in a name is a name. Nothing left would be no text at all, so the original
    # falls back on what was written.
    return replace(
        content,
        subject=_KEYWORD.sub(lambda found: values[found[0]], content.subject) or content.subject,
        body=_KEYWORD.sub(lambda found: (in_html if content.is_html else values)[found[0]], content.body)
        or content.body,
    )
