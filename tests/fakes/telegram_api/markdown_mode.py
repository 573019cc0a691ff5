"""parse_mode MarkdownV2, as strict as the real server: every reserved character is markup or escaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .entities import Entity, byte_offset
from .errors import ApiError
from .html_mode import cannot_parse, link_entity
from .links import custom_emoji

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
_IN_CODE = frozenset("`")
_NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}
_CLOSERS = {
    "bold": "*",
    "underline": "__",
    "strikethrough": "~",
    "spoiler": "||",
    "code": "`",
    "pre": "```",
    "text_link": "]",
    "custom_emoji": "]",
}


@dataclass(frozen=True, slots=True)
class _Open:
    kind: str
    offset: int
    source_index: int
    text_index: int
    language: str = ""


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """The text without markup and its entities, unordered.

    Raises ApiError 400 "can't parse entities: ..." where the real server does.
    """
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._end = len(source)
        self._text = source + "\0\0\0"
        self._at = 0
        self._out: list[str] = []
        self._units = 0
        self._stack: list[_Open] = []
        self._entities: list[Entity] = []
        self._in_quote = False
        self._quote_may_start = True

    def parse(self) -> tuple[str, list[Entity]]:
        while self._at < self._end:
            char = self._text[self._at]
            if self._escape_here():
                self._at += 1
                self._literal(self._text[self._at])
            elif char not in self._reserved():
                self._literal(char)
            elif self._closes(char):
                self._close(char)
            else:
                self._begin(char)
            self._at += 1
        self._end_of_text()
        return "".join(self._out), self._entities

    def _escape_here(self) -> bool:
        return self._text[self._at] == "\\" and 0 < ord(self._text[self._at + 1]) <= 126

    def _reserved(self) -> frozenset[str]:
        return _IN_CODE if self._stack and self._stack[-1].kind in {"code", "pre"} else _RESERVED

    def _literal(self, char: str) -> None:
        self._out.append(char)
        self._units += 1 + (char > "\uffff")
        if char != "\r":
            self._quote_may_start = char == "\n"

    def _ahead(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _closes(self, char: str) -> bool:
        if not self._stack:
            return False
        if self._in_quote and char == "\n" and not self._text.startswith(">", self._at + 1):
            return True
        kind = self._stack[-1].kind
        if kind == "italic":
            return char == "_" and not self._ahead("__")
        return kind in _CLOSERS and self._ahead(_CLOSERS[kind])

    def _must_escape(self) -> ApiError:
        char = self._text[self._at]
        return cannot_parse(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")

    def _begin(self, char: str) -> None:
        start = self._at
        if char == "\n":
            self._literal(char)
            return
        if char == ">":
            if not self._quote_may_start:
                raise self._must_escape()
            if self._in_quote:
                return
            self._in_quote = True
        kind, language = self._opening(char)
        self._stack.append(_Open(kind, self._units, start, len(self._out), language))

    def _opening(self, char: str) -> tuple[str, str]:
        simple = {"*": "bold", "~": "strikethrough", "[": "text_link", ">": "blockquote"}
        if char in simple:
            return simple[char], ""
        if self._ahead("```"):
            return "pre", self._fence()
        for mark, kind in (("__", "underline"), ("||", "spoiler"), ("![", "custom_emoji")):
            if self._ahead(mark):
                self._at += 1
                return kind, ""
        if char in "_`":
            return ("italic" if char == "_" else "code"), ""
        raise self._must_escape()

    def _fence(self) -> str:
        """Step over the opening fence, its language and one line break, to just before the text."""
        self._at += 3
        stop = self._at
        while self._text[stop] not in " \t\r\n\v\0`":
            stop += 1
        language = ""
        if stop > self._at and stop < self._end and self._text[stop] != "`":
            language = self._text[self._at : stop]
            self._at = stop
        if self._text[self._at] in "\r\n":
            pair = self._text[self._at + 1] in "\r\n" and self._text[self._at + 1] != self._text[self._at]
            self._at += 2 if pair else 1
        self._at -= 1
        return language

    def _no_end(self) -> ApiError:
        opened = self._stack[-1]
        name = "PreCode" if opened.language else _NAMES[opened.kind]
        offset = byte_offset(self._source, opened.source_index)
        return cannot_parse(f"Can't find end of {name} entity at byte offset {offset}")

    def _close(self, char: str) -> None:
        if char == "\n":
            self._close_quote(at_line_break=True)
            return
        opened = self._stack.pop()
        self._at += len(_CLOSERS.get(opened.kind, char)) - 1
        span = (opened.offset, self._units - opened.offset)
        if opened.kind == "text_link":
            url = self._target("".join(self._out[opened.text_index :]))
            if span[1]:
                self._entities.extend(link_entity(url, span))
        elif opened.kind == "custom_emoji":
            self._close_emoji(span)
        elif span[1]:
            details: dict[str, Any] = {"language": opened.language} if opened.language else {}
            self._entities.append(Entity(opened.kind, *span, details))

    def _close_quote(self, *, at_line_break: bool) -> None:
        """End the block quote here; `||` just before makes it expandable."""
        kind = "blockquote"
        top = self._stack[-1]
        before = self._at - (1 if self._at and self._text[self._at - 1] == "\r" and at_line_break else 0)
        if top.kind == "spoiler" and top.source_index == before - 2:
            self._stack.pop()
            kind = "expandable_blockquote"
        if not self._stack or self._stack[-1].kind != "blockquote":
            raise self._no_end()
        opened = self._stack.pop()
        self._in_quote = False
        if at_line_break:
            self._literal("\n")
        if self._units > opened.offset:
            self._entities.append(Entity(kind, opened.offset, self._units - opened.offset))

    def _end_of_text(self) -> None:
        if self._in_quote and self._stack[-1].kind in {"spoiler", "blockquote"}:
            unfinished = self._stack[-1].kind == "spoiler" and self._stack[-1].source_index != self._end - 2
            if not unfinished:
                self._close_quote(at_line_break=False)
        if self._stack:
            raise self._no_end()

    def _target(self, fallback: str) -> str:
        """The address in round brackets behind `]`, else the text itself."""
        if self._text[self._at + 1] != "(":
            return fallback
        self._at += 2
        begin, url = self._at, []
        while self._at < self._end and self._text[self._at] != ")":
            if self._escape_here():
                self._at += 1
            url.append(self._text[self._at])
            self._at += 1
        if self._at >= self._end:
            offset = byte_offset(self._source, begin)
            raise cannot_parse(f"Can't find end of a URL at byte offset {offset}")
        return "".join(url)

    def _close_emoji(self, span: tuple[int, int]) -> None:
        if self._text[self._at + 1] != "(":
            raise cannot_parse("The entity must contain a tg://emoji or tg://time URL")
        emoji = custom_emoji(self._target(""))
        if emoji is None:
            raise cannot_parse("Invalid tg://emoji or tg://time URL specified")
        if span[1]:
            self._entities.append(Entity("custom_emoji", *span, {"custom_emoji_id": emoji}))
