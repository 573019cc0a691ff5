"""From a reply to the bytes, pauses and endings that a connection gets, one step after the other. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tests.fakes.llm import messages, wire
from tests.fakes.llm.http11 import head
from tests.fakes.llm.peers import closes_after_stream
from tests.fakes.llm.replies import Framing, Raw, Reply


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """`hang` waits until the client leaves; the other two end the connection."""

    how: Literal["hang", "close", "reset"]


@dataclass(frozen=True, slots=True)
class Midway:
    """Half of the deltas are sent: the moment for whatever is to happen in the middle of a stream."""


Step = bytes | Pause | Hold | Stop | Midway

_LET_READ = Pause(0.01)
"""Before a reset, which throws away what the client hasn't read yet."""


def plan(reply: Reply, asked: wire.Asked) -> Iterator[Step]:
    """Everything that is done with the connection to give this reply."""
    if reply.pace.wait:
        yield Pause(reply.pace.wait)
    if reply.pace.hold and reply.pace.hold_at is None:
        yield Hold(reply.pace.hold)
    if reply.fault is not None and reply.fault.after is None and reply.fault.kind != "error":
        yield from _stop(reply.fault.kind)
        return
    if reply.raw is not None:
        yield from _raw(reply, reply.raw)
    elif reply.framing.answer == "sse" or (reply.framing.answer == "as asked" and asked.stream):
        yield from _sse(reply, asked)
    else:
        yield from _json(reply, asked)
    close = (
        closes_after_stream(asked.kind) and asked.stream if reply.close_after is None else reply.close_after
    )
    if close or reply.headers.get("connection") == "close":
        yield Stop("close")


def _stop(kind: str) -> Iterator[Step]:
    if kind == "reset":
        yield _LET_READ
        yield Stop("reset")
    else:
        yield Stop("hang" if kind == "hang" else "close")


def _raw(reply: Reply, raw: Raw) -> Iterator[Step]:
    body = raw.body if isinstance(raw.body, str) else wire.dumps(raw.body)
    data = zlib.compress(body.encode(), wbits=31) if reply.framing.gzip else body.encode()
    headers = {"content-type": raw.content_type, "content-length": str(len(data))}
    yield head(raw.status, headers | _encoding(reply.framing) | reply.headers)
    if data:
        yield data


def _json(reply: Reply, asked: wire.Asked) -> Iterator[Step]:
    fault = reply.fault
    error = fault is not None and fault.kind == "error"
    whole = messages.completion if asked.messages else wire.completion
    text = wire.dumps(fault.body if fault is not None and error else whole(reply, asked))
    if not reply.pace.heartbeats and not reply.framing.cut and (fault is None or error):
        yield Midway()
        yield from _raw(reply, Raw(200, text))
        return
    body = _Body(reply.framing)
    yield head(200, {"content-type": "application/json"} | body.headers | reply.headers)
    for _ in range(reply.pace.heartbeats):
        yield Pause(reply.pace.every)
        yield from body.encode("\n")
    if fault is None or error:
        yield from body.encode(text)
        yield from body.end()
        return
    if fault.after:
        yield from body.encode(text[: len(text) // 2])
    yield from body.end() if fault.kind == "end" else _stop(fault.kind)


def _sse(reply: Reply, asked: wire.Asked) -> Iterator[Step]:
    body = _Body(reply.framing)
    headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
    yield head(200, headers | body.headers | reply.headers)
    for _ in range(reply.pace.heartbeats):
        yield Pause(reply.pace.every)
        yield from body.encode(reply.pace.heartbeat + reply.framing.newline * 2)
    opening, parts, closing = _spoken(reply, asked)
    stops_at = len(parts) + 1 if reply.fault is None else min(reply.fault.after or 0, len(parts))
    for place in range(len(parts) + 1):
        if place == stops_at:
            yield from _break_off(reply, body)
            return
        if place == 0:
            yield from body.encode(opening)
        yield from _on_the_way(reply, body, place)
        if place == len(parts) // 2:
            yield Midway()
        if place < len(parts):
            if reply.pace.delay:
                yield Pause(reply.pace.delay)
            yield from body.encode(parts[place])
    for event in closing:
        yield from body.encode(event)
    if reply.framing.done and not asked.messages:
        yield from body.encode(_line(reply.framing, "[DONE]") + reply.framing.newline)
    yield from body.end()


def _spoken(reply: Reply, asked: wire.Asked) -> tuple[str, list[str], list[str]]:
    """A stream's events as text: the opening, what each delta brings, and the closing ones."""
    framing = reply.framing
    if not asked.messages:
        chunks = (wire.chunk(reply, asked, delta) for delta in wire.deltas(reply, asked))
        closing = [_event(framing, event) for event in wire.closing(reply, asked)]
        return (
            _event(framing, wire.opening(reply, asked)),
            [_event(framing, each) for each in chunks],
            closing,
        )
    parts = messages.parts(reply, asked) if reply.choices else ()
    return (
        _named(framing, messages.opening(reply, asked)),
        ["".join(_named(framing, event) for event in part) for part in parts],
        [_named(framing, event) for event in messages.closing(reply, asked)],
    )


def _on_the_way(reply: Reply, body: _Body, place: int) -> Iterator[Step]:
    """What else happens before the delta number `place`."""
    if place == reply.pace.hold_at and reply.pace.hold:
        yield Hold(reply.pace.hold)
    if place == reply.framing.malformed_at:
        yield from body.encode(
            'data: {"id":"x","choices":[{"delta":{"content":"lo' + reply.framing.newline * 2
        )


def _break_off(reply: Reply, body: _Body) -> Iterator[Step]:
    fault = reply.fault
    assert fault is not None
    if fault.kind == "error":
        name = f"event: {fault.event}{reply.framing.newline}" if fault.event else ""
        yield from body.encode(name + _line(reply.framing, wire.dumps(fault.body)) + reply.framing.newline)
    if fault.kind in ("error", "end"):
        yield from body.end()
    else:
        yield from _stop(fault.kind)


def _event(framing: Framing, value: object) -> str:
    text = wire.dumps(value)
    if not framing.lines:
        return _line(framing, text) + framing.newline
    # A line may end wherever JSON allows white space; after the first comma outside of text that holds.
    first, comma, rest = text.partition('",')
    spread = [first + comma, rest] if rest else [text]
    return "".join(_line(framing, each) for each in spread) + framing.newline


def _named(framing: Framing, event: messages.Event) -> str:
    return f"event: {event['type']}{framing.newline}{_event(framing, event)}"


def _line(framing: Framing, text: str) -> str:
    return f"data:{' ' if framing.space else ''}{text}{framing.newline}"


def _encoding(framing: Framing) -> dict[str, str]:
    return {"content-encoding": "gzip"} if framing.gzip else {}


class _Body:
    """A chunked body: text in, the connection's bytes out; compressed and cut up if the framing says so."""

    def __init__(self, framing: Framing) -> None:
        self.headers = {"transfer-encoding": "chunked"} | _encoding(framing)
        self._cut = framing.cut
        self._gzip = zlib.compressobj(wbits=31) if framing.gzip else None

    def encode(self, text: str) -> Iterator[bytes]:
        data = text.encode()
        if self._gzip is not None:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        yield from self._pieces(data)

    def end(self) -> Iterator[bytes]:
        if self._gzip is not None:
            yield from self._pieces(self._gzip.flush())
        yield b"0\r\n\r\n"

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        size = self._cut or len(data) or 1
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            yield b"%x\r\n%b\r\n" % (len(piece), piece)


def with_headers(reply: Reply, headers: dict[str, str]) -> Reply:
    """The same reply with more headers below its own."""
    return replace(reply, headers=headers | reply.headers)
