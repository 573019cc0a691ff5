"""What Markdown is made of once it is read: texts and the marks around them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """What a mark means. The first seven are what a chat can show; the others only structure a page."""

    BOLD = "b"
    ITALIC = "i"
    STRIKE = "s"
    CODE = "code"
    PRE = "pre"
    QUOTE = "blockquote"
    LINK = "a"

    ADDRESS = "address"
    """A link that chats find by themselves, or show the target of: its label says where it leads."""
    PARAGRAPH = "p"
    HEADING = "h"
    BULLETS = "ul"
    NUMBERS = "ol"
    ITEM = "li"
    INNER_QUOTE = "q"
    RULE = "hr"


SHOWN = frozenset(list(Style)[:7])


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning or end of a style.

    `detail` is a link's target, a code block's language, a heading's level (1 to 6) or a list item's number.
    """

    style: Style
    detail: str = ""
    closes: bool = False


class Laid(str):
    """Text that lays out what a page would show by its structure: bullets, indentation, breaks between blocks."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table's cells, the head first, and how a chat shows them. `aligns` holds "left", "right", "center" or ""."""

    rows: tuple[tuple[tuple[Event, ...], ...], ...]
    aligns: tuple[str, ...]
    laid: tuple[str | Mark, ...]


Event = str | Mark | Table


def flowing(events: Iterable[Event]) -> Iterator[str | Mark]:
    """For a chat: tables as they are laid out, and only the marks that it can show."""
    for event in events:
        if isinstance(event, Table):
            yield from event.laid
        elif isinstance(event, str) or event.style in SHOWN:
            yield event


def visible(events: Iterable[Event]) -> str:
    """What a reader sees of the rendered text; links show their label only."""
    return "".join(e for e in flowing(events) if isinstance(e, str))


def plain(events: Iterable[Event]) -> str:
    """Readable without any markup: a link's target stands behind its label, "> " before each quoted line."""
    out = []
    lead = ""
    for event in flowing(events):
        if isinstance(event, str):
            out.append(event.replace("\n", f"\n{lead}") if lead else event)
        elif event.style is Style.QUOTE:
            lead = "" if event.closes else "> "
            out.append(lead)
        elif event.style is Style.LINK and event.closes:
            out.append(f" ({event.detail})")
    return "".join(out)
