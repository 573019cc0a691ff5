"""A calendar invitation as text for people: https://www.rfc-editor.org/rfc/rfc5545. Pure; never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

_MOST_EVENTS = 10
_MOST_LINES = 5000
_LONGEST = 4000

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r'([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:]*))*):(.*)')
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=(?:"([^"]*)"|([^";:]*))')
_ESCAPED = re.compile(r"\\([nN,;\\])")

_METHODS = {
    "REQUEST": "Invitation",
    "CANCEL": "Cancelled",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Proposal",
}


class _Field(NamedTuple):
    name: str
    parameters: dict[str, str]
    value: str


def render(calendar: str) -> str:
    """Each event in a few lines; "" where there is none."""
    method, events = "", []
    event: list[_Field] | None = None
    for found in _fields(calendar):
        if found.name == "METHOD":
            method = found.value.strip().upper()
        elif found.name == "BEGIN" and found.value.strip().upper() in {"VEVENT", "VTODO"}:
            event = []
        elif found.name == "END" and event is not None:
            if found.value.strip().upper() in {"VEVENT", "VTODO"}:
                events.append(_event(event))
                event = None
        elif event is not None:
            event.append(found)
        if len(events) == _MOST_EVENTS:
            break
    title = _METHODS.get(method, "Calendar entry")
    return "\n\n".join(f"{title}: {text}" for text in events)


def _fields(calendar: str) -> Iterator[_Field]:
    for line in _FOLD.sub("", calendar).splitlines()[:_MOST_LINES]:
        if match := _LINE.fullmatch(line.strip()[:_LONGEST]):
            parameters = {name.upper(): quoted or bare for name, quoted, bare in _PARAMETER.findall(match[2])}
            yield _Field(match[1].upper(), parameters, match[3])


def _event(fields: list[_Field]) -> str:
    first: dict[str, _Field] = {}
    for each in fields:
        first.setdefault(each.name, each)
    lines = [_text(first, "SUMMARY") or "(without a title)"]
    begin, end = _time(first.get("DTSTART")), _time(first.get("DTEND") or first.get("DUE"))
    lines += [f"When: {begin}" + (f" to {end}" if end else "")] if begin or end else []
    for label, name in (("Where", "LOCATION"), ("Repeats", "RRULE"), ("Status", "STATUS")):
        lines += [f"{label}: {_text(first, name)}"] if _text(first, name) else []
    lines += [f"Organiser: {_person(each)}" for each in fields if each.name == "ORGANIZER"][:1]
    invited = [_person(each) for each in fields if each.name == "ATTENDEE"]
    lines += (
        [f"Invited: {', '.join(invited[:10])}" + (" and others" if len(invited) > 10 else "")]
        if invited
        else []
    )
    lines += [_text(first, "DESCRIPTION")]
    return "\n".join(filter(None, lines))


def _text(fields: dict[str, _Field], name: str) -> str:
    found = fields.get(name)
    return _ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], found.value).strip() if found else ""


def _person(found: _Field) -> str:
    address = re.sub(r"^mailto:", "", found.value.strip(), flags=re.IGNORECASE)
    name = found.parameters.get("CN", "")
    return f"{name} <{address}>" if name and name != address else address


def _time(found: _Field | None) -> str:
    """As written: a date, or a time with its zone."""
    if found is None:
        return ""
    value, zone = found.value.strip(), found.parameters.get("TZID", "")
    for form, shown in (
        ("%Y%m%dT%H%M%SZ", "%Y-%m-%d %H:%M UTC"),
        ("%Y%m%dT%H%M%S", "%Y-%m-%d %H:%M"),
        ("%Y%m%d", "%Y-%m-%d"),
    ):
        try:
            text = datetime.strptime(value, form).strftime(shown)  # noqa: DTZ007 -- shown in its own zone
        except ValueError:
            continue
        return f"{text} ({zone})" if zone and not value.endswith("Z") else text
    return value[:60]
