"""What HTML holds without showing it. Pure.

Hidden text is how strangers' words get into a mail that its sender copied or passed on unread: it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TINY = 3.0
"""Pixels or points of text that nobody reads."""

_LENGTH = re.compile(r"(-?\d*\.?\d+)\s*(px|pt|em|rem|%|)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]{1,500})\{([^{}]{0,2000})\}")
_SELECTOR = re.compile(r"(?:[a-z0-9*]*)([.#][\w-]+)", re.IGNORECASE)
_MOST_STYLES = 100_000
_WHITE = frozenset({"white", "#fff", "#ffffff", "rgb(255,255,255)"})


def declarations(style: str) -> dict[str, str]:
    found = {}
    for one in style[:4000].lower().split(";"):
        name, colon, value = one.partition(":")
        if colon:
            found[name.strip()] = value.replace("!important", "").strip()
    return found


def hides(style: Mapping[str, str]) -> bool:
    """Whether what has this style isn't seen."""
    clipped = style.get("overflow", "") == "hidden" or style.get("overflow-y", "") == "hidden"
    return (
        style.get("display") == "none"
        or style.get("visibility") in {"hidden", "collapse"}
        or style.get("mso-hide") == "all"
        or _is_small(style.get("font-size", ""), _TINY)
        or (_is_small(style.get("opacity", ""), 0.05))
        or (clipped and any(_is_small(style.get(name, ""), 1) for name in _EXTENTS))
        or any(_is_far(style.get(name, "")) for name in ("text-indent", "left", "top", "margin-left"))
        or _is_unseen(style)
    )


_EXTENTS = ("height", "max-height", "width", "max-width")


def _is_small(value: str, most: float) -> bool:
    match = _LENGTH.match(value)
    if match is None:
        return False
    number = float(match[1])
    if match[2] in {"em", "rem"}:
        number *= 16
    elif match[2] == "%":
        number *= 0.16
    return number <= most


def _is_far(value: str) -> bool:
    match = _LENGTH.match(value)
    return match is not None and float(match[1]) <= -500


def _is_unseen(style: Mapping[str, str]) -> bool:
    """Transparent, or in the colour of its own background."""
    colour = _colour(style)
    return colour == "transparent" or (bool(colour) and colour == _ground(style))


def is_white(style: Mapping[str, str]) -> bool:
    """White on no background of its own: unseen, unless something around it has one."""
    return _colour(style) in _WHITE and not _ground(style)


def _colour(style: Mapping[str, str]) -> str:
    return style.get("color", "").replace(" ", "")


def _ground(style: Mapping[str, str]) -> str:
    return (style.get("background-color") or style.get("background", "")).replace(" ", "")


def hidden_names(sheets: str) -> frozenset[str]:
    """The classes (".x") and ids ("#x") that style sheets hide."""
    names = set()
    text = _COMMENT.sub("", sheets[:_MOST_STYLES])
    for selectors, style in _RULE.findall(text):
        if hides(declarations(style)):
            matches = (_SELECTOR.fullmatch(one.strip()) for one in selectors.split(","))
            names |= {match[1].lower() for match in matches if match}
    return frozenset(names)
