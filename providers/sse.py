"""Server-sent events from bytes, cut anywhere (WHATWG HTML, "Server-sent events"). Pure.

More tolerant than the standard where servers are: a line that is a JSON object without `data:` is taken as
data, and an event that the end of the stream leaves open counts.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 16 * 1024 * 1024
"""The most bytes that one event may take; more is no model's answer."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; `event` is its type, "" where the server named none."""

    data: str
    event: str = ""


class SSEParser:
    """Feed it bytes as they come, then `close` it; both return the events that became whole. Comments are
    dropped.

    Raises `ValueError` for an event of more than `LONGEST` bytes.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[str] = []
        self._event = ""
        self._size = 0
        self._started = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        if self._size + len(self._rest) + len(chunk) > LONGEST + 65_536:
            raise ValueError(f"an event of more than {LONGEST} bytes")
        held = self._rest.endswith(b"\r")
        self._rest += chunk
        if not held and b"\n" not in chunk and b"\r" not in chunk:
            return []  # a long line is not looked at anew for each of its pieces
        buffer = bytes(self._rest)
        if b"\r" in buffer:
            # A lone \r ends a line too. One at the very end may be the first half of \r\n: it waits for the
            # next chunk.
            half = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n") + half
        *lines, rest = buffer.split(b"\n")
        self._rest = bytearray(rest)
        events: list[ServerEvent] = []
        for line in lines:
            self._line(line, events)
        return events

    def close(self) -> list[ServerEvent]:
        events: list[ServerEvent] = []
        if self._rest:
            self._line(bytes(self._rest.removesuffix(b"\r")), events)
            self._rest.clear()
        self._line(b"", events)
        return events

    def _line(self, raw: bytes, events: list[ServerEvent]) -> None:
        line = raw.decode("utf-8", "replace")
        if not self._started:
            line = line.removeprefix("\ufeff")
            self._started = True
        if not line:
            if self._data:
                events.append(ServerEvent("\n".join(self._data), self._event))
            self._data, self._event, self._size = [], "", 0
            return
        if line.startswith("{"):
            line = f"data:{line}"
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(raw)
        elif name == "event":
            self._event = value
        elif name == "error":
            # llama.cpp's server wrote its mid-stream failures so for years.
            self._data, self._event = [value], "error"
