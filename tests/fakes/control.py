"""A control socket whose answers a test writes: what a terminal is sent, and what it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Reply = tuple[int, object]


def attached(*, busy: bool = False) -> dict[str, Any]:
    return {"type": "attached", "session": "terminal:main", "busy": busy}


def preview(text: str) -> dict[str, Any]:
    return {"type": "preview", "text": text}


def message(text: str, kind: str = "answer") -> dict[str, Any]:
    return {"type": "message", "kind": kind, "text": text, "replaces_preview": kind == "answer"}


def idle(outcome: str = "Answered") -> dict[str, Any]:
    return {"type": "idle", "outcome": outcome}


STATUS: Mapping[str, Any] = {
    "version": "1.2.3",
    "pid": 42,
    "started_at": 1_000_000.0,
    "data": "/var/lib/nanobot",
    "config": None,
    "socket": "/run/nanobot/control.sock",
    "models": {"reasoning": ["big/one", "small/two"], "rlm": ["small/two"]},
    "resting": [],
    "choice": "both answered",
    "providers": [],
    "channels": {"terminal": {"up": True, "detail": "", "last_received_at": None, "last_sent_at": None}},
    "turns_running": 0,
    "messages_waiting": 0,
    "outbox": {},
    "warnings": [],
}


@dataclass
class FakeControl:
    """`said` holds what terminals posted; `answers` gives the events that each of it leads to.

    `replies` maps "METHOD /path" to (status, body). `on_attach` is sent to every terminal first.
    """

    path: Path
    on_attach: list[dict[str, Any]] = field(default_factory=lambda: [attached()])
    answers: Callable[[str], list[dict[str, Any]]] = lambda text: []
    replies: dict[str, Reply] = field(default_factory=lambda: {"GET /v1/status": (200, dict(STATUS))})
    said: list[str] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    _streams: list[asyncio.StreamWriter] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeControl]:
        server = await asyncio.start_unix_server(self._serve, self.path)
        try:
            yield self
        finally:
            server.close()
            self.drop()
            self.path.unlink(missing_ok=True)

    def send(self, *events: dict[str, Any]) -> None:
        """Send events to every attached terminal."""
        for stream in self._streams:
            stream.write(_lines(events))

    def drop(self) -> None:
        """End every stream, as a daemon that stops does."""
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.close()

    async def heard(self, text: str) -> None:
        """Wait until a terminal has said `text`."""
        await self._until(lambda: text in self.said)

    async def streaming(self, terminals: int = 1) -> None:
        """Wait until so many terminals are attached."""
        await self._until(lambda: len(self._streams) >= terminals)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30.0):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            streams = await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            streams = False  # somebody only looked whether anybody listens
        if not streams:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open for events."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n")[0].split(" ")
        length = next((int(h[15:]) for h in head.lower().split("\r\n") if h.startswith("content-length:")), 0)
        body: Any = json.loads(await reader.readexactly(length)) if length else None
        if (method, target) == ("GET", "/v1/terminal") and "GET /v1/terminal" not in self.replies:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
            )
            writer.write(_lines(self.on_attach))
            self._streams.append(writer)
            self._changed.set()
            return True
        status, answer = self._reply(method, target, body)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text.encode())}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n" + text.encode())
        await writer.drain()
        if method == "POST" and target == "/v1/terminal" and status == 202:
            self.send(*self.answers(body["text"]))
        return False

    def _reply(self, method: str, target: str, body: Any) -> Reply:
        self.asked.append((f"{method} {target}", body))
        if f"{method} {target}" in self.replies:
            return self.replies[f"{method} {target}"]
        if (method, target) == ("POST", "/v1/terminal"):
            self.said.append(body["text"])
            self._changed.set()
            return 202, {}
        return 404, {"error": f"the test has no reply to {method} {target}"}


def _lines(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)
