"""Text with entities: measuring in UTF-16 code units, and the repairs the real server makes.

The order, the splitting of bold and italic around links and code, trimming and the error texts follow what
tdlib does (`MessageEntity.cpp`, state of mid 2026), as far as a bot can notice it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any

from .errors import bad_request
from .links import checked_link

SPLITTABLE = ("bold", "italic", "underline", "strikethrough", "spoiler")
QUOTES = ("blockquote", "expandable_blockquote")
CODE = ("code", "pre")
MOST_ENTITIES = 100
"""The server ignores any further: https://github.com/rubenlagus/TelegramBots/issues/854"""
_PRIORITY = {
    "blockquote": 0,
    "expandable_blockquote": 0,
    "pre": 11,
    "code": 20,
    "text_link": 49,
    "text_mention": 49,
    "bold": 90,
    "italic": 91,
    "underline": 92,
    "strikethrough": 93,
    "spoiler": 94,
    "custom_emoji": 99,
}
_DETAILS = ("url", "user", "language", "custom_emoji_id", "unix_time", "date_time_format")


@dataclass(frozen=True, slots=True)
class Entity:
    """A MessageEntity; offset and length count UTF-16 code units."""

    type: str
    offset: int
    length: int
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return self.offset + self.length

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "offset": self.offset, "length": self.length, **self.details}


@dataclass(frozen=True, slots=True)
class FormattedText:
    """A text and its entities."""

    text: str
    entities: tuple[Entity, ...] = ()

    def entities_json(self) -> list[dict[str, Any]]:
        return [entity.as_json() for entity in self.entities]


def units(text: str) -> int:
    """Length in UTF-16 code units, which is how Telegram counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def byte_offset(text: str, index: int) -> int:
    return len(text[:index].encode("utf-8", "surrogatepass"))


def parse_given(value: Any) -> tuple[Entity, ...]:
    """The parameter `entities`; types that the server finds by itself are dropped, as it does.

    Raises ApiError 400 for what is not a list of entities.
    """
    if not isinstance(value, list):
        return ()
    found = []
    for item in value:
        if not isinstance(item, dict):
            raise bad_request("can't parse MessageEntity: expected an Object")
        for name, kind in (("offset", int), ("length", int), ("type", str)):
            if not isinstance(item.get(name), kind):
                raise bad_request(f"can't parse MessageEntity: can't find field \"{name}\"")
        if item["type"] in _PRIORITY:
            details = {name: item[name] for name in _DETAILS if item.get(name) is not None}
            if item["type"] == "text_link":
                details["url"] = _checked(str(item.get("url", "")))
            found.append(Entity(item["type"], item["offset"], item["length"], details))
    return tuple(found)


def _checked(url: str) -> str:
    target = checked_link(url)
    if target is None:
        raise bad_request(f"Entity URL '{url}' is invalid: Wrong HTTP URL")
    return target


def ordered(entities: Iterable[Entity]) -> list[Entity]:
    """By offset, longer first, then by the type's rank."""
    return sorted(entities, key=lambda e: (e.offset, -e.length, _PRIORITY.get(e.type, 50)))


def tidy(formatted: FormattedText) -> FormattedText:
    """What the server makes of a text: control characters out, entities repaired and counted, both ends trimmed.

    Raises ApiError 400 for entities outside the text and for a text with nothing visible in it.
    """
    entities = [entity for entity in formatted.entities if entity.length > 0]
    text, entities = _clean(formatted.text, entities)
    entities = _untangle(entities)
    text, entities = _trim(text, entities)
    if not text:
        raise bad_request("text must be non-empty")
    return FormattedText(text, tuple(ordered(entities)[:MOST_ENTITIES]))


_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f]")
_REMOVED = re.compile("[\r\u2028-\u202e\u0333\u033f\u030a]")


def _clean(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    text = _CONTROL.sub(" ", text)
    if not entities:
        return _REMOVED.sub("", text), []
    starts = [0, *accumulate(1 + (char > "\uffff") for char in text)]
    _check_bounds(entities, set(starts), starts[-1])
    if not _REMOVED.search(text):
        return text, entities
    removed = [start for start, char in zip(starts, text, strict=False) if _REMOVED.match(char)]

    def moved(offset: int) -> int:
        return offset - sum(1 for at in removed if at < offset)

    shifted = [replace(e, offset=moved(e.offset), length=moved(e.end) - moved(e.offset)) for e in entities]
    return _REMOVED.sub("", text), [entity for entity in shifted if entity.length > 0]


def _check_bounds(entities: list[Entity], starts: set[int], size: int) -> None:
    for entity in ordered(entities):
        if not 0 <= entity.offset <= 1_000_000:
            raise bad_request(f"receive an entity with incorrect offset {entity.offset}")
        if entity.offset > size:
            raise bad_request(f"entity begins after the end of the text at UTF-16 offset {entity.offset}")
        if entity.end > size:
            raise bad_request(
                f"entity beginning at UTF-16 offset {entity.offset} ends after the end of the text "
                f"at UTF-16 offset {entity.end}"
            )
        if entity.offset not in starts:
            raise bad_request(f"entity begins in a middle of a UTF-16 symbol at byte offset {entity.offset}")
        if entity.end not in starts:
            raise bad_request(
                f"entity beginning at UTF-16 offset {entity.offset} ends in a middle of a UTF-16 symbol "
                f"at byte offset {entity.end}"
            )


def _untangle(entities: list[Entity]) -> list[Entity]:
    """Drop what may not overlap, and cut bold and its kin at the edges of everything else."""
    if len(entities) < 2:
        return entities
    quotes = _without_overlaps(e for e in entities if e.type in QUOTES)
    solid = _without_overlaps(e for e in entities if e.type not in SPLITTABLE and e.type not in QUOTES)
    solid = [e for e in solid if not any(_crosses(e, quote) for quote in quotes)]
    soft = [e for e in entities if e.type in SPLITTABLE]
    return ordered([*quotes, *solid, *_cut(soft, solid + quotes)])


def _without_overlaps(entities: Iterable[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in ordered(entities):
        if not kept or entity.offset >= kept[-1].end:
            kept.append(entity)
    return kept


def _crosses(entity: Entity, quote: Entity) -> bool:
    apart = entity.end <= quote.offset or entity.offset >= quote.end
    inside = quote.offset <= entity.offset and entity.end <= quote.end
    return not apart and not inside


def _cut(soft: list[Entity], others: list[Entity]) -> list[Entity]:
    edges = sorted({edge for other in others for edge in (other.offset, other.end)})
    code = [other for other in others if other.type in CODE]
    pieces = []
    for kind in SPLITTABLE:
        for start, end in _merged((e.offset, e.end) for e in soft if e.type == kind):
            stops = [start, *(edge for edge in edges if start < edge < end), end]
            for low, high in pairwise(stops):
                if not any(c.offset <= low and high <= c.end for c in code):
                    pieces.append(Entity(kind, low, high - low))
    return pieces


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    text = text.rstrip(" \n")
    size = units(text)
    entities = [replace(e, length=min(e.end, size) - e.offset) for e in entities if e.offset < size]
    first = min((e.offset for e in entities), default=len(text))
    lead = min(len(text) - len(text.lstrip(" \n")), first)
    return text[lead:], [replace(e, offset=e.offset - lead) for e in entities]


_FOUND_BY_SERVER = (
    ("url", re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,:;!?)\]}]", re.IGNORECASE)),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")),
    ("mention", re.compile(r"(?<![\w/@])@[A-Za-z0-9_]{2,32}(?!\w)")),
    ("bot_command", re.compile(r"(?<![\w/<>&])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("hashtag", re.compile(r"(?<![\w#])#(?=\w*[^\W\d])\w{1,256}(?![\w#])")),
)


def found_by_server(formatted: FormattedText) -> FormattedText:
    """Add the entities that nobody has to mark: links, mail addresses, mentions, commands, hashtags.

    The real finder knows more kinds (bare domains, phone and card numbers, cashtags).
    """
    text = formatted.text
    if not any(mark in text for mark in "@/#"):
        return formatted
    taken = [e for e in formatted.entities if e.type not in SPLITTABLE and e.type not in QUOTES]
    added: list[Entity] = []
    for kind, pattern in _FOUND_BY_SERVER:
        for match in pattern.finditer(text):
            new = Entity(kind, units(text[: match.start()]), units(match[0]))
            if all(new.end <= e.offset or new.offset >= e.end for e in taken):
                taken.append(new)
                added.append(new)
    if not added:
        return formatted
    return FormattedText(text, tuple(_untangle(ordered([*formatted.entities, *added]))))
