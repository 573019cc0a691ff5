"""Old conversations, one JSON object a line, as turns: what a person wrote and what was answered. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

_LONGEST = 100_000
"""Characters of one message; the rest of it is cut off."""
_FLAT_NAME = re.compile(r"(?P<channel>[a-z]+)_(?P<chat>.+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One message. `derived`: an answer that was made with tools, whose words may be from anywhere."""

    role: Literal["user", "assistant"]
    text: str
    at: float
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation. `key` is "channel:chat"; `turns` begin with what was asked. `left_out` counts other lines."""

    key: str
    turns: tuple[tuple[Line, ...], ...]
    left_out: int = 0

    @property
    def channel(self) -> str:
        return self.key.partition(":")[0]

    @property
    def chat(self) -> str:
        return self.key.partition(":")[2]


@dataclass(slots=True)
class _Gathered:
    turns: list[list[Line]] = field(default_factory=list)
    left_out: int = 0
    tools: bool = False


def talk(lines: Iterable[str], stem: str, otherwise_at: float) -> Talk | None:
    """The conversation in a file's lines; None where it is none. `stem` is the file's name without its ending, which
    tells whose it is where the first line doesn't. Messages without a time are from `otherwise_at` (epoch seconds).
    """
    key, found, at = "", _Gathered(), otherwise_at
    for line in lines:
        if not line.strip():
            continue
        data = _object(line)
        if data is None:
            found.left_out += 1
        elif "_type" in data:
            key = key or _plain(data.get("key"))
        else:
            at = _time(data.get("timestamp")) or at
            _take(found, data, at)
    key = key or _from_name(stem)
    turns = tuple(tuple(turn) for turn in found.turns)
    return Talk(key, turns, found.left_out) if key and turns else None


def _take(found: _Gathered, data: dict[str, Any], at: float) -> None:
    text = _content(data.get("content"))[:_LONGEST]
    match data.get("role"):
        case "user" if text:
            found.turns.append([Line("user", text, at)])
            found.tools = False
        case "assistant" if found.turns:
            found.tools = found.tools or bool(data.get("tool_calls"))
            if text:
                found.turns[-1].append(Line("assistant", text, at, derived=found.tools))
            else:
                found.left_out += 1
        case "tool":
            found.tools = True
            found.left_out += 1
        case _:
            found.left_out += 1


def _object(line: str) -> dict[str, Any] | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _content(content: Any) -> str:
    """The text of a message; of one in parts, the texts among them."""
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n\n".join(filter(None, map(_plain, texts)))
    return _plain(content)


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "").strip()


def _time(value: Any) -> float | None:
    try:
        if isinstance(value, str):
            then = datetime.fromisoformat(value)
            at = then.timestamp()
        elif isinstance(value, int | float) and not isinstance(value, bool):
            at = float(value) / (1000 if value > 1e11 else 1)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return at if _EARLIEST < at < _LATEST else None


_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def _from_name(stem: str) -> str:
    """The Python program named files after the key in base64url, older ones "channel_chat"."""
    try:
        decoded = base64.b64decode(stem + "=" * (-len(stem) % 4), altchars=b"-_", validate=True).decode(
            "utf-8"
        )
    except (binascii.Error, ValueError):
        decoded = ""
    if re.fullmatch(r"[a-z]+:\S+", decoded):
        return decoded
    flat = _FLAT_NAME.fullmatch(stem)
    return f"{flat['channel']}:{flat['chat']}" if flat else ""


def messages(turns: Sequence[Sequence[Line]]) -> int:
    return sum(map(len, turns))


def times(talks: Iterable[Talk]) -> Iterator[float]:
    return (line.at for one in talks for turn in one.turns for line in turn)
