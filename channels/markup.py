"""Markdown, as models write it, in the dialects that channels understand. Pure; never raises.

`parse` walks the Markdown once and yields texts and the marks around them; a dialect is a fold over these.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from channels.events import Event, Laid, Mark, Style, Table, flowing, plain, visible
from channels.mail_markup import mail_html
from channels.markdown import parse, parser, well_formed
from channels.whatsapp_markup import whatsapp

__all__ = [
    "Event",
    "Laid",
    "Mark",
    "Style",
    "Table",
    "flowing",
    "mail_html",
    "parse",
    "parser",
    "plain",
    "telegram_html",
    "utf16_units",
    "visible",
    "well_formed",
    "whatsapp",
]


def telegram_html(events: Iterable[Event]) -> str:
    """For parse_mode HTML: https://core.telegram.org/bots/api#html-style"""
    return "".join(html.escape(e, quote=False) if isinstance(e, str) else _tag(e) for e in flowing(events))


def utf16_units(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _tag(mark: Mark) -> str:
    detail = html.escape(mark.detail)
    if mark.style is Style.PRE and detail:
        return "</code></pre>" if mark.closes else f'<pre><code class="language-{detail}">'
    if mark.closes:
        return f"</{mark.style}>"
    return f'<a href="{detail}">' if mark.style is Style.LINK else f"<{mark.style}>"
