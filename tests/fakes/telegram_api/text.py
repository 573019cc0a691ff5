"""From the parameters of a call to the text that people see, in the real server's two steps.

The first step (`read_text`) runs before the chat is looked up, the second (`settle`) after it; so an
unparsable text is reported for an unknown chat too, but a text that is too long is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .entities import Entity, FormattedText, found_by_server, parse_given, tidy, units
from .errors import bad_request
from .forms import Call
from .html_mode import parse_html
from .markdown_mode import parse_markdown_v2

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_RAW_BYTES = 1 << 15

UserLookup = Callable[[int], dict[str, Any] | None]


def read_text(call: Call, text_key: str = "text", entities_key: str = "entities") -> FormattedText:
    """The text with its markup taken out.

    Raises ApiError 400 for raw text over 32 KiB, an unknown parse_mode and markup that can't be parsed.
    """
    text = call.text(text_key)
    if len(text.encode()) > MAX_RAW_BYTES:
        raise bad_request("text is too long")
    mode = call.text("parse_mode").lower()
    if not text or mode in {"", "none"}:
        return FormattedText(text, parse_given(call.json(entities_key)))
    if mode == "html":
        parsed, entities = parse_html(text)
    elif mode == "markdownv2":
        parsed, entities = parse_markdown_v2(text)
    else:
        # The real server also takes the legacy mode "Markdown", which this project never sends.
        raise bad_request("unsupported parse_mode")
    return FormattedText(parsed, tuple(entities))


def settle(formatted: FormattedText, known_user: UserLookup, limit: int = MAX_TEXT) -> FormattedText:
    """The text as it is stored and shown.

    Raises ApiError 400 if nothing visible is left or if more than `limit` UTF-16 code units are. (The
    documentation says characters; counting code units is the stricter reading.)
    """
    entities = tuple(e for e in (_with_user(e, known_user) for e in formatted.entities) if e is not None)
    settled = found_by_server(tidy(FormattedText(formatted.text, entities)))
    if units(settled.text) > limit:
        raise bad_request("message caption is too long" if limit == MAX_CAPTION else "message is too long")
    return settled


def _with_user(entity: Entity, known_user: UserLookup) -> Entity | None:
    if entity.type != "text_mention":
        return entity
    user = known_user(int(entity.details["user"]["id"]))
    return None if user is None else replace(entity, details={"user": user})
