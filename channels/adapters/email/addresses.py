"""Mailboxes of fields such as From: read before anything in them is decoded, so that no encoded word makes one. Pure.

A sender is believed by this address, so whatever isn't plainly one is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from channels.adapters.email.headers import FIELD_LIMIT, words


def addresses(value: str) -> list[tuple[str, str]]:
    """Names and addresses of a field such as To; ("name", "") for what is no single address."""
    return [_mailbox(tokens) for tokens in _mailboxes(value[:FIELD_LIMIT]) if tokens]


def is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


_Token = tuple[str, str]
_ADDRESS = re.compile(
    r"[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){0,20}[^\W_][\w-]{0,61}"
)
_SPECIAL = re.compile(r'[^"(<>,;:\s]+')


def _mailboxes(value: str) -> Iterator[list[_Token]]:
    """Each mailbox as tokens: its kind ("text", "quoted", "comment", "angle", "wrong") and what it holds."""
    tokens: list[_Token] = []
    at = 0
    while at < len(value):
        char = value[at]
        if char in ",;":
            yield tokens
            tokens, at = [], at + 1
        elif char == ":":  # what stood before is a group's name
            tokens, at = [("wrong", "")], at + 1
        elif reader := _READERS.get(char):
            token, at = reader(value, at)
            tokens.append(token)
        elif match := _SPECIAL.match(value, at):
            tokens.append(("text", match[0]))
            at = match.end()
        else:
            at += 1
    yield tokens


def _quoted(value: str, at: int) -> tuple[_Token, int]:
    out, at = [], at + 1
    while at < len(value) and value[at] != '"':
        at += value[at] == "\\"
        out.append(value[at : at + 1])
        at += 1
    return ("quoted" if at < len(value) else "wrong", "".join(out)), at + 1


def _comment(value: str, at: int) -> tuple[_Token, int]:
    start, depth = at, 0
    while at < len(value):
        depth += (value[at] == "(") - (value[at] == ")")
        at += 2 if value[at] == "\\" else 1
        if not depth:
            return ("comment", value[start + 1 : at - 1]), at
    return ("wrong", value[start + 1 :]), at


def _angle(value: str, at: int) -> tuple[_Token, int]:
    end = value.find(">", at)
    return (("angle", value[at + 1 : end].strip()), end + 1) if end > 0 else (("wrong", ""), len(value))


def _stray(_value: str, at: int) -> tuple[_Token, int]:
    return ("wrong", ""), at + 1


_READERS: Mapping[str, Callable[[str, int], tuple[_Token, int]]] = {
    '"': _quoted,
    "(": _comment,
    "<": _angle,
    ">": _stray,
}


def _mailbox(tokens: list[_Token]) -> tuple[str, str]:
    kinds = [kind for kind, _ in tokens]
    said = [text for kind, text in tokens if kind in {"text", "quoted"}]
    angles = [text for kind, text in tokens if kind == "angle"]
    name = words(" ".join(said))
    if "wrong" in kinds:
        return name, ""
    plain = [kind for kind in kinds if kind != "comment"]
    if plain == ["text"] and _ADDRESS.fullmatch(said[0]):
        comments = [text for kind, text in tokens if kind == "comment"]
        return words(comments[0] if comments else ""), said[0]
    if len(angles) == 1 and plain[-1] == "angle" and _ADDRESS.fullmatch(angles[0]):
        return name, angles[0]
    return name, ""
