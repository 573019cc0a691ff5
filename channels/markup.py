"""Markdown, as models write it, in the dialects that channels understand. Pure; never raises.

`parse` walks the Markdown once and yields texts and the marks around them; a dialect is a fold over these.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.token import Token

from channels import table

_DEEPEST = 60
"""Nesting at which the parser leaves content out; a text that comes near it is shown as it stands."""

_WIDEST_TABLE = 60
"""Columns; a wider table would be wrapped in a phone's fixed-width font, so its rows are listed instead."""

_QUOTE = "> "
"""Before each line of a quotation inside another block; Telegram's own quotations don't nest."""

_LINK_SCHEMES = ("http://", "https://", "tg://")
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TASK = re.compile(r"\[([ xX])\](?=\s)")
_LANGUAGE = re.compile(r"[\w+#.-]{1,32}")


class Style(StrEnum):
    BOLD = "b"
    ITALIC = "i"
    STRIKE = "s"
    CODE = "code"
    PRE = "pre"
    QUOTE = "blockquote"
    LINK = "a"


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning or end of a style. `detail` is a link's target or a code block's language."""

    style: Style
    detail: str = ""
    closes: bool = False


Event = str | Mark


def parse(markdown: str) -> list[Event]:
    """Texts and marks in order; marks are balanced and nested."""
    text = well_formed(markdown)
    try:
        tokens = parser().parse(text)
    except (
        RecursionError,
        ValueError,
        IndexError,
    ):  # a parser's limit or bug must not cost anybody an answer
        return [text]
    if any(token.level > _DEEPEST - 4 for token in tokens):
        return [text]
    return _Walker().walk(tokens)


def telegram_html(events: Iterable[Event]) -> str:
    """For parse_mode HTML: https://core.telegram.org/bots/api#html-style"""
    return "".join(html.escape(e, quote=False) if isinstance(e, str) else _tag(e) for e in events)


def whatsapp(events: Iterable[Event]) -> str:
    """In WhatsApp's own marks; links as their label followed by the address in brackets."""
    return plain(events)


def mail_html(events: Iterable[Event]) -> str:
    """A fragment of HTML that is safe in any mail program; links to http, https and mailto only."""
    return html.escape(plain(events)).replace("\n", "<br>\n")


def visible(events: Iterable[Event]) -> str:
    """What a reader sees of the rendered text; links show their label only."""
    return "".join(e for e in events if isinstance(e, str))


def plain(events: Iterable[Event]) -> str:
    """Readable without any markup: the label of a link is followed by its target."""
    out = []
    for event in events:
        if isinstance(event, str):
            out.append(event)
        elif event.style is Style.LINK and event.closes:
            out.append(f" ({event.detail})")
    return "".join(out)


def well_formed(text: str) -> str:
    """Surrogates joined to characters; a lone one, which no encoding carries, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def utf16_units(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


@functools.cache
def parser() -> MarkdownIt:
    """CommonMark with tables and strikethrough; HTML in the source is text."""
    settings = {"html": False, "maxNesting": _DEEPEST}
    return MarkdownIt("commonmark", settings).enable(["table", "strikethrough"])


def _tag(mark: Mark) -> str:
    detail = html.escape(mark.detail)
    if mark.style is Style.PRE and detail:
        return "</code></pre>" if mark.closes else f'<pre><code class="language-{detail}">'
    if mark.closes:
        return f"</{mark.style}>"
    return f'<a href="{detail}">' if mark.style is Style.LINK else f"<{mark.style}>"


_STYLES = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRIKE}


class _Walker:
    """Lays blocks out on lines: keeps the source's blank lines, indents lists, prefixes inner quotations."""

    def __init__(self) -> None:
        self._out: list[Event] = []
        self._end_line = 0
        self._indent: list[str] = []
        self._markers: list[str] = []
        self._quotes: list[bool] = []
        self._quote_opens = False
        self._numbers: list[int | None] = []
        self._open: dict[Style, int] = {}

    def walk(self, tokens: Sequence[Token]) -> list[Event]:
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "table_open":
                end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
                self._table(token, tokens[at:end])
                at = end
            elif handler := getattr(self, f"_on_{token.type}", None):
                handler(token)
            at += 1
        return self._out

    # Blocks

    def _begin(self, token: Token, *, preformatted: bool = False) -> None:
        """Go to a new line for a block, write what stands before its first line."""
        first, end = token.map or (self._end_line, self._end_line)
        if self._out:
            self._out.append("\n\n" if first > self._end_line else "\n")
        self._end_line = end
        lead = "".join([*self._indent, *self._markers])
        if preformatted:
            lead = f"{lead.rstrip()}\n" if self._markers else ""
        self._indent += [marker if marker == _QUOTE else " " * len(marker) for marker in self._markers]
        self._markers = []
        if self._quote_opens:
            self._out.append(Mark(Style.QUOTE))
            self._quote_opens = False
        if lead:
            self._out.append(lead)

    def _on_paragraph_open(self, token: Token) -> None:
        self._begin(token)

    def _on_heading_open(self, token: Token) -> None:
        self._begin(token)
        self._start(Style.BOLD)

    def _on_heading_close(self, _: Token) -> None:
        self._stop(Style.BOLD)

    def _on_hr(self, token: Token) -> None:
        self._begin(token)
        self._out.append("———")

    def _on_fence(self, token: Token) -> None:
        self._preformatted(token, token.content, token.info)

    def _on_code_block(self, token: Token) -> None:
        self._preformatted(token, token.content, "")

    def _preformatted(self, token: Token, content: str, info: str) -> None:
        content = content.removesuffix("\n")
        if not content.strip():
            return
        language = _LANGUAGE.match(info)
        detail = language[0] if language else ""
        self._begin(token, preformatted=True)
        self._out += [Mark(Style.PRE, detail), content, Mark(Style.PRE, detail, closes=True)]

    def _on_blockquote_open(self, _: Token) -> None:
        outermost = not (self._quotes or self._indent or self._markers)
        self._quotes.append(outermost)
        if outermost:
            self._quote_opens = True
        else:
            self._markers.append(_QUOTE)

    def _on_blockquote_close(self, token: Token) -> None:
        if not self._quotes.pop():
            self._leave(token)
        elif self._quote_opens:
            self._quote_opens = False
        else:
            self._out.append(Mark(Style.QUOTE, closes=True))

    def _on_bullet_list_open(self, _: Token) -> None:
        self._numbers.append(None)

    def _on_ordered_list_open(self, _: Token) -> None:
        self._numbers.append(-1)

    def _on_bullet_list_close(self, _: Token) -> None:
        self._numbers.pop()

    def _on_ordered_list_close(self, _: Token) -> None:
        self._numbers.pop()

    def _on_list_item_open(self, token: Token) -> None:
        last = self._numbers[-1]
        if last is None:
            self._markers.append("• ")
            return
        # The number as written, unless the writer left the counting to the renderer.
        number = max(int(token.info), last + 1)
        self._numbers[-1] = number
        self._markers.append(f"{number}. ")

    def _on_list_item_close(self, token: Token) -> None:
        self._leave(token)

    def _leave(self, token: Token) -> None:
        """End an indented container; one without content still shows its marker."""
        if self._markers:
            self._begin(token)
        self._indent.pop()

    def _table(self, opening: Token, tokens: Sequence[Token]) -> None:
        rows: list[list[list[Event]]] = []
        aligns: list[str] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "th_open":
                aligns.append(str(token.attrGet("style") or "").removeprefix("text-align:"))
            elif token.type == "inline":
                rows[-1].append(_Walker().cell(token.children or []))
        texts = [[plain(cell) for cell in row] for row in rows]
        lines = table.aligned(texts, aligns)
        if max(map(table.width, lines)) > _WIDEST_TABLE:
            self._begin(opening)
            self._out += _records(rows, "".join(self._indent))
        else:
            self._begin(opening, preformatted=True)
            self._out += [Mark(Style.PRE), "\n".join(lines), Mark(Style.PRE, closes=True)]

    # Inline

    def cell(self, tokens: Sequence[Token]) -> list[Event]:
        self._inline(tokens)
        return [_flat(event) for event in self._out]

    def _on_inline(self, token: Token) -> None:
        self._inline(token.children or [])

    def _inline(self, tokens: Sequence[Token]) -> None:
        targets: list[Mark | str] = []
        for at, token in enumerate(tokens):
            name, _, side = token.type.rpartition("_")
            if token.type == "link_open":
                targets.append(_target(str(token.attrGet("href") or ""), tokens[at + 1 :]))
                self._out += targets[-1:] if isinstance(targets[-1], Mark) else []
            elif token.type == "link_close":
                self._close_link(targets.pop())
            elif name in _STYLES:
                (self._start if side == "open" else self._stop)(_STYLES[name])
            else:
                self._leaf(token, first=at == 0)

    def _leaf(self, token: Token, *, first: bool) -> None:
        if token.type == "code_inline":
            self._out += [Mark(Style.CODE), token.content, Mark(Style.CODE, closes=True)]
        elif token.type in {"softbreak", "hardbreak"}:
            self._break()
        elif token.type == "image":
            self._image(token)
        elif token.content:
            self._text(token.content, first=first)

    def _text(self, content: str, *, first: bool) -> None:
        if first and self._numbers and (task := _TASK.match(content)):
            content = ("☐" if task[1] == " " else "☑") + content[task.end() :]
        head, *lines = _LINE_BREAK.split(content) if "<" in content else [content]
        self._out.append(head)
        for line in lines:
            self._break()
            self._out.append(line)

    def _break(self) -> None:
        self._out.append("\n" + "".join(self._indent))

    def _image(self, token: Token) -> None:
        source = str(token.attrGet("src") or "")
        target = _target(source, []) if token.content else ""
        self._out += [target] if isinstance(target, Mark) else []
        self._out.append(token.content or source)
        self._close_link(target)

    def _close_link(self, target: Mark | str) -> None:
        if isinstance(target, Mark):
            self._out.append(Mark(Style.LINK, target.detail, closes=True))
        elif target:
            self._out.append(f" ({target})")

    def _start(self, style: Style) -> None:
        self._open[style] = self._open.get(style, 0) + 1
        if self._open[style] == 1:
            self._out.append(Mark(style))

    def _stop(self, style: Style) -> None:
        self._open[style] -= 1
        if not self._open[style]:
            self._out.append(Mark(style, closes=True))


def _target(href: str, following: Sequence[Token]) -> Mark | str:
    """A mark, a text to show after the label, or nothing where the label says it already."""
    label = ""
    for token in following:
        if token.type == "link_close":
            break
        label += token.content
    if label and href in {label, f"mailto:{label}"}:
        return ""
    return Mark(Style.LINK, href) if href.lower().startswith(_LINK_SCHEMES) else href


def _flat(event: Event) -> Event:
    return event.replace("\n", " ") if isinstance(event, str) else event


def _records(rows: Sequence[Sequence[Sequence[Event]]], indent: str) -> list[Event]:
    """A wide table as a list: each row's first cell as its title, the others below it with their headings."""
    heads, *records = rows
    out: list[Event] = []
    for row in records or [[[] for _ in heads]]:
        if out:
            out.append(f"\n\n{indent}")
        title = f"{visible(heads[0])}: " if heads[0] else ""
        out += [Mark(Style.BOLD), title, *row[0], Mark(Style.BOLD, closes=True)]
        for head, cell in zip(heads[1:], row[1:], strict=True):
            out += [f"\n{indent}• {visible(head)}: ", *cell]
    return out
