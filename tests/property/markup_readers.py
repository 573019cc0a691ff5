"""Reads what was rendered as its reader's program does: characters with the styles that they are shown in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

Shown = list[tuple[str, frozenset[str]]]

SIGNS = {"*": "b", "_": "i", "~": "s"}
_INLINE_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"```(.+?)```", re.DOTALL)

IsWord = Callable[[str], bool]


def ascii_word(char: str) -> bool:
    return char.isascii() and char.isalnum()


def any_word(char: str) -> bool:
    return char.isalnum()


def whatsapp(text: str, is_word: IsWord) -> Shown:
    """Programs differ in which letters they count as such: `is_word` says it for a character or for ""."""
    shown: Shown = []
    done = 0
    for block in _BLOCK.finditer(text):
        shown += _lines(text[done : block.start()], is_word)
        shown += [(char, frozenset({"code"})) for char in block[1]]
        done = block.end()
    return shown + _lines(text[done:], is_word)


def _lines(text: str, is_word: IsWord) -> Shown:
    return [char for line in text.splitlines(keepends=True) for char in _line(line, is_word, frozenset())]


def _line(line: str, is_word: IsWord, styles: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    at = 0
    while at < len(line):
        if code := _INLINE_CODE.match(line, at):
            yield from ((char, styles | {"code"}) for char in code[1])
            at = code.end()
        elif (end := _closer(line, at, is_word)) is not None:
            yield from _line(line[at + 1 : end], is_word, styles | {SIGNS[line[at]]})
            at = end + 1
        else:
            yield line[at], styles
            at += 1


def _closer(line: str, at: int, is_word: IsWord) -> int | None:
    """Where the style ends that begins there; None if none does."""
    sign = line[at]
    opens = sign in SIGNS and not is_word(line[at - 1 : at]) and line[at + 1 : at + 2].strip()
    if not opens:
        return None
    coded = {place for code in _INLINE_CODE.finditer(line) for place in range(code.start(), code.end())}
    for end in range(at + 2, len(line)):
        fits = line[end] == sign and end not in coded
        if fits and line[end - 1].strip() and not is_word(line[end + 1 : end + 2]):
            return end
    return None


ALLOWED = {
    "a": {"href"},
    "b": set(),
    "blockquote": {"style"},
    "br": set(),
    "code": {"style"},
    **{f"h{level}": set() for level in range(1, 7)},
    "hr": set(),
    "i": set(),
    "li": {"value"},
    "ol": set(),
    "p": set(),
    "pre": {"style"},
    "s": set(),
    "table": {"style"},
    "td": {"style"},
    "th": {"style"},
    "tr": set(),
    "ul": set(),
}
_VOID = {"br", "hr"}


class Page(HTMLParser):
    """Fails for a tag, attribute or link that is not allowed, and for one that is closed out of order."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= ALLOWED[tag]
        assert "a" not in self._open or tag != "a"
        for name, value in attrs:
            if name == "href":
                assert value is not None
                assert value.lower().startswith(("http://", "https://", "mailto:"))
                self.links.append(value)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")
