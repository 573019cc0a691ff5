"""Texts and marks as a fragment of HTML for mail programs. Pure.

Only tags and inline styles that every mail program shows; no pictures, scripts, classes or style sheets, and links to
http, https and mailto only.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from channels.events import Event, Laid, Mark, Style, Table

_SCHEMES = ("http://", "https://", "mailto:")
_ADDRESS = re.compile(r"https?://[^\s<>\"]*[^\s<>\"'.,;:!?)\]}*_~]", re.IGNORECASE)
_BOX = "border:1px solid #999;padding:3px 8px"
_PRE = '<pre style="background:#f4f4f4;padding:8px;white-space:pre-wrap">'
_CODE = '<code style="background:#f4f4f4">'
_QUOTE = '<blockquote style="margin:0 0 0 4px;padding-left:10px;border-left:3px solid #ccc">'
_QUOTES = (Style.QUOTE, Style.INNER_QUOTE)
_LINKS = (Style.LINK, Style.ADDRESS)
_INLINE = (Style.BOLD, Style.ITALIC, Style.STRIKE, Style.CODE)
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])
"""Characters that HTML doesn't have; a reader wouldn't see them either."""


def mail_html(events: Iterable[Event]) -> str:
    """A fragment of well-formed HTML that is safe in any mail program."""
    page = _Page()
    for event in events:
        if isinstance(event, Table):
            page.out.append(_table(event))
        elif isinstance(event, Mark):
            page.mark(event)
        elif not isinstance(event, Laid):
            page.text(event)
    return "".join(page.out)


class _Page:
    def __init__(self) -> None:
        self.out: list[str] = []
        self._preformatted = False
        self._literal = 0
        """How many links and pieces of code are open: no link is looked for in them."""
        self._heading = False
        self._level = ""

    def text(self, text: str) -> None:
        if self._literal:
            self.out.append(_broken(text, preformatted=self._preformatted))
            return
        done = 0
        for found in _ADDRESS.finditer(text):
            address = html.escape(found[0])
            self.out += [_broken(text[done : found.start()]), f'<a href="{address}">{address}</a>']
            done = found.end()
        self.out.append(_broken(text[done:]))

    def mark(self, mark: Mark) -> None:
        style = mark.style
        if style in (*_LINKS, Style.CODE, Style.PRE):
            self._literal += -1 if mark.closes else 1
            self._preformatted = style is Style.PRE and not mark.closes
        if style is Style.HEADING:
            self._heading = not mark.closes
            self._level = mark.detail or self._level
        if style is Style.BOLD and self._heading:
            return
        self.out.append(self._end(mark) if mark.closes else self._start(mark))

    def _start(self, mark: Mark) -> str:
        style = mark.style
        if style in _LINKS:
            return f'<a href="{html.escape(mark.detail)}">' if _linkable(mark.detail) else ""
        if style is Style.HEADING:
            return f"<h{self._level}>"
        if style is Style.ITEM and mark.detail:
            return f'<li value="{mark.detail}">'
        if style in _QUOTES:
            return _QUOTE
        tags = {Style.PRE: _PRE, Style.CODE: _CODE, Style.RULE: "<hr>\n"}
        return tags.get(style, f"<{style}>")

    def _end(self, mark: Mark) -> str:
        style = mark.style
        if style in _LINKS:
            return "</a>" if _linkable(mark.detail) else f" ({html.escape(mark.detail)})"
        if style is Style.HEADING:
            return f"</h{self._level}>\n"
        if style is Style.RULE:
            return ""
        tag = "blockquote" if style in _QUOTES else style
        return f"</{tag}>" if style in _INLINE else f"</{tag}>\n"


def _linkable(target: str) -> bool:
    return target.lower().startswith(_SCHEMES)


def _broken(text: str, *, preformatted: bool = False) -> str:
    escaped = html.escape(text.translate(_CONTROLS), quote=False)
    return escaped if preformatted else escaped.replace("\n", "<br>\n")


def _table(table: Table) -> str:
    out = ['<table style="border-collapse:collapse">\n']
    for number, row in enumerate(table.rows):
        tag = "td" if number else "th"
        out.append("<tr>")
        for cell, align in zip(row, table.aligns, strict=True):
            style = f"{_BOX};text-align:{align or 'left'}"
            out.append(f'<{tag} style="{style}">{mail_html(cell)}</{tag}>')
        out.append("</tr>\n")
    return "".join([*out, "</table>\n"])
