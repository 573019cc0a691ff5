"""What both modes know of WhatsApp itself: its texts and their lengths. Pure."""

from __future__ import annotations

from channels.markup import parse, visible, well_formed, whatsapp
from channels.split import rendered, split

MESSAGE_LIMIT = 4096
"""UTF-16 units: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages#text-object. The apps bear
more, but fold a long text."""
MARK_RESERVE = 64
"""Units that a mark before a repeated message may take."""


def pieces(markdown: str) -> list[str]:
    """Markdown in pieces that make one message each."""
    return split(markdown, MESSAGE_LIMIT - MARK_RESERVE, rendered)


def written(markdown: str) -> str:
    """Markdown in WhatsApp's marks; as it is where nothing of it would be seen."""
    events = parse(markdown)
    return whatsapp(events) if visible(events).strip() else well_formed(markdown)
