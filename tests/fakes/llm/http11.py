"""Just enough of an HTTP/1.1 server that a test decides over every byte, pause and ending.

A library would repair what is to be broken here: bodies that stop half-way, resets, silence in the middle.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

_HEAD_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; header names are in lower case, `connection` counts TCP connections from 1."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    connection: int


def reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 520 to 526 and 529 are in no standard
        return "Unknown"


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason(status)}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(status: int, content_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A complete answer in one piece."""
    first = {"content-type": content_type, "content-length": str(len(body))}
    return head(status, first | dict(headers or {})) + body


def parse(buffer: bytearray, connection: int) -> Request | None:
    """Take the first whole request out of `buffer`; None while it isn't complete. ValueError on nonsense."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > _HEAD_LIMIT:
            raise ValueError("the request's head is too long")
        return None
    request_line, *lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    method, target, version = request_line.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP/1: {request_line!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"not a header: {line!r}")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise ValueError("this server wants a content-length")
    stop = end + 4 + int(headers.get("content-length", "0"))
    if len(buffer) < stop:
        return None
    body = bytes(buffer[end + 4 : stop])
    del buffer[:stop]
    url = urlsplit(target)
    return Request(method, url.path, dict(parse_qsl(url.query)), headers, body, connection)


class Connection(asyncio.Protocol):
    """One client: its requests are answered one by one; an answer is cancelled when the client leaves."""

    def __init__(self, server: Server, number: int) -> None:
        self._server = server
        self._number = number
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What an answer calls

    async def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
        await self._writable.wait()

    def close(self) -> None:
        """An orderly end of the connection, after what was written."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """An end by RST: the client's system reports "connection reset by peer"."""
        if self._transport is not None:
            raw: socket.socket = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _next(self) -> None:
        if self._task is not None or self._transport is None:
            return
        try:
            request = parse(self._buffer, self._number)
        except ValueError as error:
            self._transport.write(whole(400, "text/plain", str(error).encode(), {"connection": "close"}))
            self._transport.close()
            return
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._answer(request))

    async def _answer(self, request: Request) -> None:
        try:
            await self._server.handle(request, self)
        finally:
            self._task = None
        if request.headers.get("connection", "").lower() == "close":
            self.close()
        self._next()


Handler = Callable[[Request, Connection], Awaitable[None]]


class Server:
    """Listens on loopback; `port` 0 lets the system choose, and the choice is kept over `down` and `up`."""

    def __init__(self, handle: Handler, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.handle = handle
        self.port = port
        self.connections: set[Connection] = set()
        self.accepted = 0
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def up(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse new connections and cut the open ones."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.reset()
        await self._server.wait_closed()
        self._server = None
        await asyncio.sleep(0)  # the cut connections' callbacks run

    def _connect(self) -> Connection:
        self.accepted += 1
        connection = Connection(self, self.accepted)
        self.connections.add(connection)
        return connection
