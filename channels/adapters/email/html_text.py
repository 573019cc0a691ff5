"""HTML of mails as lines of text, what it quotes marked as such. Pure; never raises."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

from lxml import etree, html

from channels.adapters.email import hiding
from channels.adapters.email.lines import Line

_LONGEST = 1_000_000
"""Characters of HTML that are read."""

_MOST_LINES = 20_000
_MOST_ELEMENTS = 100_000

_WITHOUT_TEXT = re.compile(
    "head|style|script|noscript|template|title|meta|link|object|embed|iframe|svg|select|textarea|button"
)
_BLOCKS = re.compile(
    "address|article|aside|blockquote|body|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|li|main|nav|"
    "ol|p|pre|section|table|tbody|tfoot|thead|tr|ul"
)
_SPACED = re.compile("h[1-6]|ol|p|pre|table|ul")
_QUOTING_IDS = (
    "divrplyfwdmsg",
    "mail-editor-reference-message-container",
    "olk_src_body_section",
    "ms-outlook-mobile-reference-message",
)
"""Outlook begins the mail that is answered with one of these; all that follows belongs to it."""

_QUOTING_CLASSES = frozenset({"yahoo_quoted", "protonmail_quote", "moz-forward-container", "tutanota_quote"})
_SIGNATURES = frozenset({"gmail_signature", "moz-signature", "protonmail_signature_block"})
_SPACE = re.compile(r"[ \t\r\n\f]+")


def from_html(source: str) -> list[Line]:
    try:
        root = html.document_fromstring(
            source[:_LONGEST].encode("utf-8", "replace"),
            parser=html.HTMLParser(encoding="utf-8", no_network=True),
        )
    except (etree.LxmlError, ValueError, AssertionError):
        return []
    return _Writer(root).lines()


class _Writer:
    """Walks the tree without recursion."""

    def __init__(self, root: Any) -> None:
        self._root = root
        sheets = "\n".join(element.text or "" for element in root.iter("style"))
        self._hidden = hiding.hidden_names(sheets)
        self._lines: list[Line] = []
        self._line: list[str] = []
        self._depth = 0
        self._pre = 0
        self._numbers: list[int | None] = []
        self._links: list[int] = []

    def lines(self) -> list[Line]:
        skipped: Any = None
        events = etree.iterwalk(self._root, events=("start", "end", "comment", "pi"))
        for event, element in itertools.islice(events, 2 * _MOST_ELEMENTS):
            if len(self._lines) > _MOST_LINES:
                break
            if event in {"comment", "pi"}:
                self._text(element.tail if skipped is None else None)
            elif event == "start" and skipped is None:
                skipped = element if self._is_skipped(element) else None
                if skipped is None:
                    self._enter(element)
            elif event == "end":
                if skipped is None:
                    self._leave(element)
                skipped = None if element is skipped else skipped
                self._text(element.tail if skipped is None else None)
        self._break()
        return self._lines

    def _is_skipped(self, element: Any) -> bool:
        names = _names(element)
        if _WITHOUT_TEXT.fullmatch(element.tag) or element.get("hidden") is not None or names & self._hidden:
            return True
        if any(name[1:] in _SIGNATURES for name in names):
            return True
        style = hiding.declarations(element.get("style") or "")
        if hiding.hides(style):
            return True
        return hiding.is_white(style) and not any(map(_is_coloured, element.iterancestors()))

    def _enter(self, element: Any) -> None:
        tag = element.tag
        if _BLOCKS.fullmatch(tag) or tag == "br":
            self._break(force=tag == "br")
            if _SPACED.fullmatch(tag) and self._lines and self._lines[-1].text:
                self._lines.append(Line(self._depth, ""))
        if tag == "blockquote" or any(name[1:] in _QUOTING_CLASSES for name in _names(element)):
            self._depth += 1
        if (element.get("id") or "").lower().removeprefix("x_") in _QUOTING_IDS:
            self._depth += 1  # and never less
        self._begin(tag)
        self._text(element.text)

    def _begin(self, tag: str) -> None:
        if tag == "pre":
            self._pre += 1
        elif tag in {"ol", "ul"}:
            self._numbers.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._line.append(self._bullet())
        elif tag in {"td", "th"} and self._has_text():
            self._line.append(" | ")
        elif tag == "a":
            self._links.append(len(self._line))
        elif tag == "hr":
            self._line.append("________________________________")

    def _bullet(self) -> str:
        if not self._numbers or self._numbers[-1] is None:
            return "- "
        self._numbers[-1] += 1
        return f"{self._numbers[-1]}. "

    def _leave(self, element: Any) -> None:
        tag = element.tag
        if tag == "a":
            self._end_link(element)
        elif tag in {"ol", "ul"} and self._numbers:
            self._numbers.pop()
        if _BLOCKS.fullmatch(tag):
            self._break()
            if _SPACED.fullmatch(tag) and self._lines and self._lines[-1].text:
                self._lines.append(Line(self._depth, ""))
        if tag == "pre":
            self._pre -= 1
        if tag == "blockquote" or any(name[1:] in _QUOTING_CLASSES for name in _names(element)):
            self._depth -= 1

    def _end_link(self, element: Any) -> None:
        """A link's target is told where its text doesn't."""
        target = (element.get("href") or "").strip()
        label = "".join(self._line[self._links.pop() :] if self._links else []).strip()
        bare = target.removeprefix("mailto:").rstrip("/")
        if target.lower().startswith(("http://", "https://")) and label.rstrip("/") != bare:
            self._line.append(f" ({target[:2000]})" if label else target[:2000])

    def _text(self, text: str | None) -> None:
        if not text:
            return
        if self._pre > 0:
            first, *others = text.split("\n")
            self._line.append(first)
            for line in others:
                self._break(force=True)
                self._line.append(line)
            return
        text = _SPACE.sub(" ", text)
        text = text if self._line and not self._line[-1].endswith(" ") else text.lstrip(" ")
        if text:
            self._line.append(text)

    def _has_text(self) -> bool:
        return any(piece.strip() for piece in self._line)

    def _break(self, *, force: bool = False) -> None:
        """End the line; an empty one counts only if it is `forced`."""
        text = "".join(self._line).replace("\xa0", " ").rstrip()
        if text or force:
            self._lines.append(Line(self._depth, text))
        self._line.clear()
        self._links = [0] * len(self._links)


def _names(element: Any) -> set[str]:
    classes = {f".{name.lower()}" for name in (element.get("class") or "").split()[:50]}
    ident = element.get("id")
    return classes | {f"#{ident.lower()}"} if ident else classes


def _is_coloured(element: Any) -> bool:
    """Whether it has a background of its own, on which white can be read."""
    return element.get("bgcolor") is not None or "background" in (element.get("style") or "").lower()


def text_of(lines: Iterable[Line]) -> str:
    return "\n".join("> " * line.depth + line.text for line in lines)
