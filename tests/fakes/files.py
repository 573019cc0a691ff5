"""A file server as Hugging Face is one (ranges, checksums in headers, a redirection to where the bytes are), which
cuts connections.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from tests.fakes.llm.http11 import Connection, Request, Server, head


@dataclass
class FileServer:
    """Serves `content` at every path below /resolve/, by way of /cdn/."""

    content: bytes
    cuts: list[int] = field(default_factory=list)
    """Of the next answers, after how many bytes of the body each connection is cut."""
    statuses: list[int] = field(default_factory=list)
    """What the next requests are answered with instead."""
    ranges: bool = True
    linked: bool = True
    """Whether size and checksum are told, as of files in Hugging Face's large storage."""
    told: dict[str, str] = field(default_factory=dict)
    """Headers instead of the true ones."""
    claims: int = 0
    """Bytes that it says will come, instead of the true number."""
    hold: asyncio.Event | None = None
    """Waited for in the middle of a body."""
    asked: list[str] = field(default_factory=list)
    """The ranges that were asked for at /cdn/; "" for all of it."""

    def __post_init__(self) -> None:
        self._server = Server(self._handle, 0, None)

    async def __aenter__(self) -> Self:
        await self._server.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.down()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}/resolve/main/m.gguf"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    async def _handle(self, request: Request, connection: Connection) -> None:
        if self.statuses:
            await _answer(connection, self.statuses.pop(0), {}, b"no")
        elif request.path.startswith("/cdn/"):
            await self._bytes(request, connection)
        else:
            linked = {"x-linked-etag": f'"{self.sha256}"', "x-linked-size": str(len(self.content))}
            headers = {"location": "/cdn/abc?signed=1"} | (linked | self.told if self.linked else {})
            await _answer(connection, 302, headers, b"")

    async def _bytes(self, request: Request, connection: Connection) -> None:
        asked = request.headers.get("range", "")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        total = len(self.content)
        etag = {"etag": f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'}
        if start >= total > 0:
            await _answer(connection, 416, etag | {"content-range": f"bytes */{total}"}, b"")
            return
        span = {"content-range": f"bytes {start}-{total - 1}/{total}"} if start else {}
        cut = self.cuts.pop(0) if self.cuts else None
        body = self.content[start:]
        length = {"content-length": str(self.claims or len(body))}
        await connection.write(head(206 if start else 200, etag | span | length))
        if self.hold is not None:
            await connection.write(body[: len(body) // 2])
            await self.hold.wait()
            body = body[len(body) // 2 :]
        await connection.write(body if cut is None else body[:cut])
        if cut is not None:
            connection.close()


async def _answer(connection: Connection, status: int, headers: Mapping[str, str], body: bytes) -> None:
    await connection.write(head(status, {**headers, "content-length": str(len(body))}) + body)
