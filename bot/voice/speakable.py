"""What of a Markdown text can be said aloud. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from channels.events import Event, Laid, Mark, Style, Table
from channels.markup import parse

MOST = 1_500
"""Characters that are spoken of an answer, a minute and a half; all of it is to be read anyway."""
_ADDRESS = re.compile(r"https?://(?:www\.)?([^\s/<>()\[\]]+)\S*")
_SYMBOLS = re.compile("[\U0001f000-\U0001faff\u2190-\u27bf\u2b00-\u2bff\ufe0f\u200d\U000e0000-\U000e007f]")
_SPACE = re.compile(r"\s+")
_WIDE = "\u3002\uff01\uff1f"
"""Full stop, exclamation and question mark of East Asian writing, which no space follows."""
_STOPS = ".!?…:;," + _WIDE
_SENTENCE = re.compile(rf"[.!?…](?=\s|$)|[{_WIDE}]")


def speakable(markdown: str, most: int = MOST) -> str:
    """Sentences on one line, at most so many characters: addresses by their host's name, no code, no emoji; cut at the
    end of a sentence.
    """
    blocks = (_SPACE.sub(" ", block).strip() for block in _blocks(parse(markdown)))
    said = " ".join(_closed(block) for block in blocks if any(map(str.isalnum, block)))
    if len(said) <= most:
        return said
    cut = max(
        (found.end() for found in _SENTENCE.finditer(said[: most + 1]) if found.end() <= most), default=0
    )
    return said[:cut] if cut > most // 2 else said[:most].rpartition(" ")[0] or said[:most]


def _blocks(events: Iterable[Event]) -> Iterator[str]:
    """A text for each paragraph, item and row."""
    block: list[str] = []
    left_out = 0
    for event in events:
        if isinstance(event, Table):
            yield "".join(block)
            block = []
            yield from (", ".join(filter(None, map(_cell, row))) for row in event.rows[1:])
        elif isinstance(event, Mark):
            if event.style is Style.PRE:
                left_out += -1 if event.closes else 1
        elif not left_out and isinstance(event, Laid):
            if "\n" in event:
                yield "".join(block)
                block = []
        elif not left_out:
            lines = _readable(event).split("\n")
            block.append(" ".join(lines))
    yield "".join(block)


def _cell(events: Iterable[Event]) -> str:
    return _readable("".join(event for event in events if isinstance(event, str))).strip()


def _readable(text: str) -> str:
    return _SYMBOLS.sub("", _ADDRESS.sub(r"\1", text))


def _closed(block: str) -> str:
    """With a stop at its end, for a pause."""
    return block if block[-1] in _STOPS else f"{block}."
