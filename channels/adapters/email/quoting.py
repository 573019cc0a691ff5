"""Tells what a mail's sender wrote now from what they quote, forward and sign with. Pure.

In doubt it is quoted: words of somebody else must not count as the sender's. Whatever follows the head of a quoted
mail is that mail, to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from channels.adapters.email import phrases
from channels.adapters.email.lines import Line

_SKIPPED = "[…]"
"""In a quotation, where the sender put an answer between."""

_LONGEST_ATTRIBUTION = 4
_LONGEST_SIGNATURE = 12
_LONGEST_LINE = 300
_LABELLED = 4
_HEAD = 8
"""Lines in which the head of a quoted mail has to show."""


@dataclass(frozen=True, slots=True)
class Words:
    """`quoted` is what the mail answers, `forwarded` a mail that it passes on, from `author`."""

    own: str
    quoted: str = ""
    forwarded: str = ""
    author: str = ""


@dataclass(slots=True)
class _Sorted:
    own: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)
    forwarded: str = ""
    author: str = ""


def sort_out(lines: Sequence[Line], *, forwards: bool = False) -> Words:
    """`forwards` says that the subject calls it a forwarded mail."""
    found = _Sorted()
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.depth:
            _take_attribution(found)
            at = _take_quotation(lines, at, found)
        elif head := _head_at(lines, at):
            rest = _passed_on(lines[at:])
            found.author = head.strip()
            if forwards or phrases.FORWARDED.search(line.text[:_LONGEST_LINE]):
                found.forwarded = rest
            else:
                found.quoted.append(rest)
            break
        elif end := _attribution_without_marks(lines, at):
            found.quoted.append(_passed_on(lines[end:]))
            break
        elif after := _signature(lines, at):
            at = after
        else:
            found.own.append(line.text)
            at += 1
    quoted = f"\n{_SKIPPED}\n".join(text for text in found.quoted if text)
    return Words(_tidy(found.own), quoted, found.forwarded, found.author)


def _take_attribution(found: _Sorted) -> None:
    """The lines that announce a quotation are not the sender's."""
    own = found.own
    end = len(own)
    while end and not own[end - 1].strip() and len(own) - end < 2:
        end -= 1
    if end and phrases.RULE.fullmatch(own[end - 1][:_LONGEST_LINE]):
        del own[end - 1 :]
        return
    begin = end
    while begin and own[begin - 1].strip() and end - begin < _LONGEST_ATTRIBUTION:
        begin -= 1
    for at in range(begin, end):
        several = end - at > 1
        if several and not phrases.begins_attribution(own[at]):
            continue
        if phrases.is_attribution(" ".join(own[at:end])):
            del own[at:end]
            return


def _take_quotation(lines: Sequence[Line], at: int, found: _Sorted) -> int:
    """Quoted lines, and empty ones between them."""
    end = at
    while end < len(lines) and (lines[end].depth or not lines[end].text.strip()):
        end += 1
    while not lines[end - 1].depth:
        end -= 1
    found.quoted.append(_text(lines[at:end]))
    found.own.append("")
    return end


def _head_at(lines: Sequence[Line], at: int) -> str:
    """Who wrote the mail whose head begins here, a blank if nobody says; "" where none does."""
    text = lines[at].text[:_LONGEST_LINE]
    marked = bool(phrases.MARKER.fullmatch(text))
    first = (phrases.HEAD_FROM, phrases.HEAD_ANY, phrases.RULE)
    if not marked and not any(pattern.fullmatch(text) for pattern in first):
        return ""
    head = [
        line.text[:_LONGEST_LINE] for line in lines[at : at + _HEAD] if line.text.strip() and not line.depth
    ]
    others = sum(bool(phrases.HEAD_LINE.fullmatch(line)) for line in head)
    telling = marked or any(phrases.HEAD_TELLING.fullmatch(line) for line in head)
    for line in head[: 6 if marked else 2]:
        match = phrases.HEAD_FROM.fullmatch(line)
        if match and others >= (1 if marked else 2) and (telling or "@" in line):
            return match[1][:200]
    if phrases.HEAD_ANY.fullmatch(text) and all(map(phrases.LABELLED.fullmatch, head[1:_LABELLED])):
        return " " if len(head) >= _LABELLED else ""
    return " " if marked else ""


def _attribution_without_marks(lines: Sequence[Line], at: int) -> int:
    """Where the quotation begins that the lines here announce, if nothing marks it; else 0.

    Only a line as programs write it counts, with nothing but other unmarked lines after it.
    """
    for size in range(1, _LONGEST_ATTRIBUTION):
        part = lines[at : at + size]
        if len(part) < size or not part[-1].text.strip() or part[-1].depth:
            return 0
        if size == 2 and not phrases.begins_attribution(part[0].text):
            return 0
        text = " ".join(line.text.strip() for line in part)
        if phrases.is_attribution(text):
            following = _next(lines, at + size)
            marked = following is None or lines[following].depth
            return 0 if marked or not phrases.is_dated(text) else at + size
    return 0


def _next(lines: Sequence[Line], at: int) -> int | None:
    """The next line that isn't blank."""
    return next((number for number in range(at, len(lines)) if lines[number].text.strip()), None)


def _signature(lines: Sequence[Line], at: int) -> int:
    """Where a signature that begins here ends; 0 where none does. It ends where something quoted begins."""
    text = lines[at].text
    if phrases.SENT_FROM.fullmatch(text[:_LONGEST_LINE]):
        following = _next(lines, at + 1)
        last = following is None or lines[following].depth or _quotation_begins(lines, following)
        return at + 1 if last else 0
    if text.rstrip() != "--":
        return 0
    certain, size, end = text == "-- ", 0, at + 1
    while end < len(lines) and not lines[end].depth and not _quotation_begins(lines, end):
        size += bool(lines[end].text.strip())
        if size > _LONGEST_SIGNATURE and not certain:
            return 0
        end += 1
    return end


def _quotation_begins(lines: Sequence[Line], at: int) -> bool:
    if lines[at].text.strip() in {"", "--"}:
        return False
    if _head_at(lines, at) or _attribution_without_marks(lines, at):
        return True
    several = lines[at : at + _LONGEST_ATTRIBUTION]
    joined = " ".join(line.text for line in several if not line.depth)
    return phrases.is_attribution(lines[at].text) or (
        phrases.begins_attribution(lines[at].text) and phrases.is_attribution(joined)
    )


def _passed_on(lines: Sequence[Line]) -> str:
    """Lines that all belong to a quoted mail, whatever they quote themselves."""
    return _text([Line(line.depth + 1, line.text) for line in lines])


def _text(lines: Sequence[Line]) -> str:
    """A quotation, one level up."""
    return _tidy([("> " * (line.depth - 1) + line.text) if line.depth else "" for line in lines])


def _tidy(lines: Sequence[str]) -> str:
    """Without blank lines at the ends and more than one in a row."""
    out: list[str] = []
    for line in lines:
        text = line.rstrip()
        if text or (out and out[-1]):
            out.append(text)
    return "\n".join(out).strip("\n")
