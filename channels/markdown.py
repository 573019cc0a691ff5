"""Reads Markdown, as models write it, into texts and marks. Pure; never raises."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from channels import table
from channels.events import Event, Laid, Mark, Style, Table, flowing, plain, visible

_DEEPEST = 60
"""Nesting at which the parser leaves content out; a text that comes near it is shown as it stands."""

_WIDEST_TABLE = 60
"""Columns; a wider table would be wrapped in a phone's fixed-width font, so its rows are listed instead."""

_QUOTE = "> "
"""Before each line of a quotation inside another block; Telegram's own quotations don't nest."""

_LINKED = re.compile(r"https?://[^/?#]*\.|tg://", re.IGNORECASE)
"""Telegram drops a link to a host without a dot, such as a machine at home, and shows its label alone."""
_SHOWN_SCHEMES = ("http://", "https://", "mailto:")
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TASK = re.compile(r"\[([ xX])\](?=\s)")
_LANGUAGE = re.compile(r"[\w+#.-]{1,32}")


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


def well_formed(text: str) -> str:
    """Surrogates joined to characters; a lone one, which no encoding carries, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@functools.cache
def parser() -> MarkdownIt:
    """CommonMark with tables and strikethrough; HTML in the source is text."""
    settings = {"html": False, "maxNesting": _DEEPEST}
    return MarkdownIt("commonmark", settings).enable(["table", "strikethrough"])


_STYLES = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRIKE}


class _Walker:
    """Lays blocks out on lines: keeps the source's blank lines, indents lists, prefixes inner quotations."""

    def __init__(self) -> None:
        self._out: list[Event] = []
        self._end_line = 0
        self._indent: list[str] = []
        self._markers: list[str] = []
        self._quotes: list[bool] = []
        self._opening: list[Mark] = []
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
            self._out.append(Laid("\n\n" if first > self._end_line else "\n"))
        self._end_line = end
        lead = "".join([*self._indent, *self._markers])
        if preformatted:
            lead = f"{lead.rstrip()}\n" if self._markers else ""
        self._indent += [marker if marker == _QUOTE else " " * len(marker) for marker in self._markers]
        self._markers = []
        self._out += self._opening
        self._opening = []
        if lead:
            self._out.append(Laid(lead))

    def _enter(self, style: Style, detail: str = "") -> None:
        """Open a block; it is written with its first content, and not at all if it has none."""
        self._opening.append(Mark(style, detail))

    def _exit(self, style: Style) -> None:
        if self._opening:
            self._opening.pop()
        else:
            self._out.append(Mark(style, closes=True))

    def _on_paragraph_open(self, token: Token) -> None:
        if not token.hidden:
            self._enter(Style.PARAGRAPH)
        self._begin(token)

    def _on_paragraph_close(self, token: Token) -> None:
        if not token.hidden:
            self._exit(Style.PARAGRAPH)

    def _on_heading_open(self, token: Token) -> None:
        self._enter(Style.HEADING, token.tag.removeprefix("h"))
        self._begin(token)
        self._start(Style.BOLD)

    def _on_heading_close(self, _: Token) -> None:
        self._stop(Style.BOLD)
        self._exit(Style.HEADING)

    def _on_hr(self, token: Token) -> None:
        self._enter(Style.RULE)
        self._begin(token)
        self._out.append(Laid("———"))
        self._exit(Style.RULE)

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
        self._enter(Style.QUOTE if outermost else Style.INNER_QUOTE)
        if not outermost:
            self._markers.append(_QUOTE)

    def _on_blockquote_close(self, token: Token) -> None:
        outermost = self._quotes.pop()
        if not outermost:
            self._leave(token)
        self._exit(Style.QUOTE if outermost else Style.INNER_QUOTE)

    def _on_bullet_list_open(self, _: Token) -> None:
        self._enter(Style.BULLETS)
        self._numbers.append(None)

    def _on_ordered_list_open(self, _: Token) -> None:
        self._enter(Style.NUMBERS)
        self._numbers.append(-1)

    def _on_bullet_list_close(self, _: Token) -> None:
        self._numbers.pop()
        self._exit(Style.BULLETS)

    def _on_ordered_list_close(self, _: Token) -> None:
        self._numbers.pop()
        self._exit(Style.NUMBERS)

    def _on_list_item_open(self, token: Token) -> None:
        last = self._numbers[-1]
        if last is None:
            self._enter(Style.ITEM)
            self._markers.append("• ")
            return
        # The number as written, unless the writer left the counting to the renderer.
        number = max(int(token.info), last + 1)
        self._numbers[-1] = number
        self._enter(Style.ITEM, str(number))
        self._markers.append(f"{number}. ")

    def _on_list_item_close(self, token: Token) -> None:
        self._leave(token)
        self._exit(Style.ITEM)

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
        narrow = max(map(table.width, lines)) <= _WIDEST_TABLE
        self._begin(opening, preformatted=narrow)
        cells = tuple(tuple(tuple(cell) for cell in row) for row in rows)
        laid: list[str | Mark] = [Mark(Style.PRE), "\n".join(lines), Mark(Style.PRE, closes=True)]
        if not narrow:
            laid = _records(cells, "".join(self._indent))
        self._out.append(Table(cells, tuple(aligns), tuple(laid)))

    # Inline

    def cell(self, tokens: Sequence[Token]) -> list[Event]:
        self._inline(tokens)
        return [_flat(event) for event in self._out]

    def _on_inline(self, token: Token) -> None:
        self._inline(token.children or [])

    def _inline(self, tokens: Sequence[Token]) -> None:
        ends: list[list[Event]] = []
        for at, token in enumerate(tokens):
            name, _, side = token.type.rpartition("_")
            if token.type == "link_open":
                start, end = _link(str(token.attrGet("href") or ""), _label(tokens[at + 1 :]))
                self._out += start
                ends.append(end)
            elif token.type == "link_close":
                self._out += ends.pop()
            elif token.type == "image" and ends:  # links don't nest
                self._out.append(token.content or str(token.attrGet("src") or ""))
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
        self._out.append("\n")
        if self._indent:
            self._out.append(Laid("".join(self._indent)))

    def _image(self, token: Token) -> None:
        source = str(token.attrGet("src") or "")
        start, end = _link(source, token.content or source)
        self._out += [*start, token.content or source, *end]

    def _start(self, style: Style) -> None:
        self._open[style] = self._open.get(style, 0) + 1
        if self._open[style] == 1:
            self._out.append(Mark(style))

    def _stop(self, style: Style) -> None:
        self._open[style] -= 1
        if not self._open[style]:
            self._out.append(Mark(style, closes=True))


def _label(following: Sequence[Token]) -> str:
    label = ""
    for token in following:
        if token.type == "link_close":
            break
        label += token.content
    return label


def _link(href: str, label: str) -> tuple[list[Event], list[Event]]:
    """What stands before and behind a link's label: marks, the target in brackets, or nothing if the label says it."""
    if not label.strip():
        return [], [f" ({href})"] if href else []
    if href in {label, f"mailto:{label}"}:
        return [Mark(Style.ADDRESS, href)], [Mark(Style.ADDRESS, href, closes=True)]
    if _LINKED.match(href):
        return [Mark(Style.LINK, href)], [Mark(Style.LINK, href, closes=True)]
    if href.lower().startswith(_SHOWN_SCHEMES):
        return [Mark(Style.ADDRESS, href)], [Mark(Style.ADDRESS, href, closes=True), Laid(f" ({href})")]
    return [], [f" ({href})"] if href else []


def _flat(event: Event) -> Event:
    return event.replace("\n", " ") if isinstance(event, str) else event


def _records(rows: Sequence[Sequence[Sequence[Event]]], indent: str) -> list[str | Mark]:
    """A wide table as a list: each row's first cell as its title, the others below it with their headings."""
    heads, *records = rows
    out: list[str | Mark] = []
    for row in records or [[[] for _ in heads]]:
        if out:
            out.append(f"\n\n{indent}")
        title = f"{visible(heads[0])}: " if heads[0] else ""
        out += [Mark(Style.BOLD), title, *flowing(row[0]), Mark(Style.BOLD, closes=True)]
        for head, cell in zip(heads[1:], row[1:], strict=True):
            out += [f"\n{indent}• {visible(head)}: ", *flowing(cell)]
    return out
