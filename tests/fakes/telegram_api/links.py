"""Which link targets Telegram keeps, and how it writes them."""

from __future__ import annotations

import re

_INNER = re.compile(r"(tg|ton|tonsite):(?://)?([A-Za-z0-9_.-]*)(.*)", re.IGNORECASE | re.DOTALL)
_USER = re.compile(r"tg:(?://)?user/?\?(?:.*&)?id=(\d+)", re.IGNORECASE)
_EMOJI = re.compile(r"tg:(?://)?emoji/?\?(?:.*&)?id=(\d+)", re.IGNORECASE)
_PROTOCOL = re.compile(r"([^:/?#@\[\]]*)://")


def mentioned_user(url: str) -> int | None:
    match = _USER.match(url)
    return int(match[1]) if match else None


def custom_emoji(url: str) -> str | None:
    match = _EMOJI.match(url)
    return match[1] if match else None


def checked_link(url: str) -> str | None:
    """The address as Telegram would store it; None if it would drop the link and keep the text.

    Hosts need a dot, so `http://localhost` and relative addresses are dropped.
    """
    inner = _INNER.match(url)
    if inner:
        return f"{inner[1].lower()}://{inner[2].lower()}{_tail(inner[3])}" if inner[2] else None
    match = _PROTOCOL.match(url)
    protocol = match[1].lower() if match else "http"
    if protocol not in {"http", "https"}:
        return None
    rest = url[match.end() :] if match else url
    place, tail = _split(rest)
    login, _, host_port = place.rpartition("@")
    host, colon, port = host_port.partition(":")
    if "." not in host or re.search(r"[\s<>\"]", host) or (colon and not port.isdigit()):
        return None
    return f"{protocol}://{login + '@' if login else ''}{host.lower()}{colon}{port}{_tail(tail)}"


def _split(rest: str) -> tuple[str, str]:
    match = re.search(r"[/?#]", rest)
    return (rest[: match.start()], rest[match.start() :]) if match else (rest, "")


def _tail(tail: str) -> str:
    tail = re.sub(r"[\x00-\x20]", lambda m: f"%{ord(m[0]):02X}", tail)
    return tail if tail.startswith("/") else f"/{tail}"
