"""parse_mode HTML, as strict as the real server: known tags only, closed in order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .entities import Entity, byte_offset, units
from .errors import ApiError, bad_request
from .links import checked_link, mentioned_user

_SIMPLE = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
}
_TAGS = {*_SIMPLE, "a", "code", "pre", "blockquote", "tg-emoji", "tg-time"}
_SPACE = " \t\r\n\v\0"
_TAG_NAME = re.compile(r"[^ \t\r\n\v\0>]*")
_ATTRIBUTE = re.compile(r"[^ \t\r\n\v\0=>/\"']*")
_MARK = re.compile(r"[<&]")
_TOKEN = re.compile(r"[A-Za-z0-9.-]*")
_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]*)|#([0-9]*)|(lt|gt|amp|quot)(?![A-Za-z]));?")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    argument: str
    offset: int
    text_index: int


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """The text without tags and its entities, unordered.

    Raises ApiError 400 "can't parse entities: ..." where the real server does.
    """
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._end = len(source)
        self._text = source + "\0"
        self._at = 0
        self._out: list[str] = []
        self._units = 0
        self._length = 0
        self._stack: list[_Open] = []
        self._entities: list[Entity] = []

    def parse(self) -> tuple[str, list[Entity]]:
        while self._at < self._end:
            char = self._text[self._at]
            if char == "&":
                self._literal(self._reference())
            elif char != "<":
                stop = _MARK.search(self._source, self._at)
                end = stop.start() if stop else self._end
                self._literal(self._source[self._at : end])
                self._at = end
            elif self._text[self._at + 1] == "/":
                self._end_tag()
            else:
                self._start_tag()
        if self._stack:
            raise cannot_parse(f'Can\'t find end tag corresponding to start tag "{self._stack[-1].tag}"')
        return self._whole_text(), [_without_class(entity) for entity in self._entities]

    def _whole_text(self) -> str:
        text = "".join(self._out)
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise cannot_parse(
                "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched "
                "surrogate code units"
            )
        return text

    def _literal(self, text: str) -> None:
        self._out.append(text)
        self._units += units(text)
        self._length += len(text)

    def _reference(self) -> str:
        """Decode the character reference here; one that is unknown or too long stands for itself."""
        match = _REFERENCE.match(self._text, self._at)
        char = _character(match) if match else None
        if match is None or char is None:
            self._at += 1
            return "&"
        self._at = match.end()
        return char

    def _fail(self, text: str, index: int) -> ApiError:
        return cannot_parse(f"{text} at byte offset {byte_offset(self._source, index)}")

    def _skip_space(self) -> None:
        while self._at < self._end and self._text[self._at] in _SPACE:
            self._at += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return match[0]

    def _start_tag(self) -> None:
        begin = self._at
        self._at += 1
        tag = self._take(_TAG_NAME).lower()
        if self._at >= self._end:
            raise self._fail("Unclosed start tag", begin)
        if tag not in _TAGS:
            raise self._fail(f'Unsupported start tag "{tag}"', begin)
        argument = ""
        while True:
            self._skip_space()
            if self._at >= self._end:
                raise self._fail(f'Unclosed start tag "{tag}"', begin)
            if self._text[self._at] == ">":
                break
            argument = self._attribute(tag, begin) or argument
        self._at += 1
        if tag == "span" and argument != "spoiler":
            raise self._fail('Tag "span" must have class "tg-spoiler"', begin)
        self._stack.append(_Open(tag, argument, self._units, self._length))

    def _attribute(self, tag: str, begin: int) -> str:
        """Read one attribute; its meaning for the tag, or an empty string."""
        name = self._take(_ATTRIBUTE)
        if not name:
            raise self._fail(f'Empty attribute name in the tag "{tag}"', begin)
        self._skip_space()
        if self._text[self._at] != "=":
            if self._at >= self._end:
                raise self._fail(f'Unclosed start tag "{tag}"', begin)
            return _meaning(tag, name, "")
        self._at += 1
        self._skip_space()
        if self._at >= self._end:
            raise self._fail(f'Unclosed start tag "{tag}"', begin)
        value = self._quoted() if self._text[self._at] in "'\"" else self._bare()
        if self._at >= self._end:
            raise self._fail("Unclosed start tag", begin)
        return _meaning(tag, name, value)

    def _bare(self) -> str:
        begin = self._at
        value = self._take(_TOKEN).lower()
        if self._text[self._at] not in _SPACE + ">":
            raise self._fail("Unexpected end of name token", begin)
        return value

    def _quoted(self) -> str:
        quote = self._text[self._at]
        self._at += 1
        value = []
        while self._at < self._end and self._text[self._at] != quote:
            if self._text[self._at] == "&":
                value.append(self._reference())
            else:
                value.append(self._text[self._at])
                self._at += 1
        if self._at < self._end:
            self._at += 1
        return "".join(value)

    def _end_tag(self) -> None:
        begin = self._at
        if not self._stack:
            raise self._fail("Unexpected end tag", begin)
        self._at += 2
        tag = self._take(_TAG_NAME).lower()
        self._skip_space()
        if self._at >= self._end or self._text[self._at] != ">":
            raise self._fail("Unclosed end tag", begin)
        self._at += 1
        opened = self._stack.pop()
        if tag and tag != opened.tag:
            offset = byte_offset(self._source, begin)
            raise cannot_parse(
                f'Unmatched end tag at byte offset {offset}, expected "</{opened.tag}>", found "</{tag}>"'
            )
        if self._units > opened.offset:
            self._close(opened)

    def _close(self, opened: _Open) -> None:
        tag, argument = opened.tag, opened.argument
        span = (opened.offset, self._units - opened.offset)
        if tag in _SIMPLE:
            self._entities.append(Entity(_SIMPLE[tag], *span))
        elif tag == "blockquote":
            self._entities.append(Entity("expandable_blockquote" if argument else "blockquote", *span))
        elif tag in {"code", "pre"}:
            self._close_code(tag, argument, span)
        elif tag == "tg-emoji":
            if not argument.isdigit() or int(argument) == 0:
                raise cannot_parse("Invalid custom emoji identifier specified")
            self._entities.append(Entity("custom_emoji", *span, {"custom_emoji_id": argument}))
        elif tag == "a":
            inner = "".join(self._out)[opened.text_index :]
            self._entities.extend(link_entity(argument or inner, span))

    def _close_code(self, tag: str, language: str, span: tuple[int, int]) -> None:
        """`<pre><code class="language-x">` is one entity with a language, whichever of the two is outside."""
        last = self._entities[-1] if self._entities else None
        same = last is not None and (last.offset, last.length) == span
        if tag == "pre" and same and last is not None and last.type == "code" and last.details:
            self._entities[-1] = Entity("pre", *span, last.details)
        elif tag == "code" and same and last is not None and last.type == "pre" and language:
            self._entities[-1] = Entity("pre", *span, {"language": language})
        else:
            self._entities.append(Entity(tag, *span, {"language": language} if language else {}))


def link_entity(url: str, span: tuple[int, int]) -> list[Entity]:
    """The entity for a link, or none if the link is dropped; who is mentioned is looked up later."""
    user_id = mentioned_user(url)
    if user_id is not None:
        return [Entity("text_mention", *span, {"user": {"id": user_id}})]
    target = checked_link(url)
    return [] if target is None else [Entity("text_link", *span, {"url": target})]


def cannot_parse(text: str) -> ApiError:
    return bad_request(f"Can't parse entities: {text}")


def _character(match: re.Match[str]) -> str | None:
    hexadecimal, decimal, name = match.groups()
    if name:
        return _NAMED[name]
    digits = match[0].rstrip(";")
    code = int(hexadecimal or "0", 16) if hexadecimal is not None else int(decimal or "0")
    return chr(code) if 0 < code < 0x10FFFF and len(digits) < 10 else None


def _meaning(tag: str, name: str, value: str) -> str:
    if tag == "a" and name == "href":
        return value
    if tag == "code" and name == "class" and value.startswith("language-"):
        return value.removeprefix("language-")
    if tag == "span" and name == "class" and value.startswith("tg-"):
        return value.removeprefix("tg-")
    if tag == "tg-emoji" and name == "emoji-id":
        return value
    return "1" if tag == "blockquote" and name == "expandable" else ""


def _without_class(entity: Entity) -> Entity:
    """A language counts only inside `pre`."""
    return Entity("code", entity.offset, entity.length) if entity.type == "code" else entity
