"""A small HTTP/1.1 server whose replies can be dropped, cut short or held for ever.

A framework would answer politely in every case; a stand-in for faults needs the socket itself. Keep-alive,
chunked bodies and `Expect: 100-continue` are understood; pipelined requests are answered one after the
other.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024


class BadRequest(Exception):
    """The bytes received are not a request this server understands."""


@dataclass(slots=True)
class Exchange:
    """One request and the one chance to answer it."""

    connection: HttpConnection
    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool
    body: bytes = b""
    done: bool = False
    on_close: list[Callable[[], None]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    def reply(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Send a whole answer; does nothing when the client has gone or was answered already."""
        if not self._claim():
            return
        self.connection.write(_head(status, len(body), content_type, headers, self.keep_alive) + body)
        self.connection.finished(self.keep_alive)

    def cut(self, status: int, body: bytes, keep: int) -> None:
        """Announce the whole body, send only the first `keep` bytes of it, and close the connection."""
        if self._claim():
            self.connection.write(_head(status, len(body), "application/json", (), False) + body[:keep])
            self.connection.finished(False)

    def drop(self, *, reset: bool = False) -> None:
        """Close the connection without an answer: politely (FIN), or with a TCP reset."""
        if self._claim():
            self.connection.close(reset=reset)

    def _claim(self) -> bool:
        if self.done:
            return False
        self.done = True
        return True


def _head(
    status: int, length: int, content_type: str, headers: Iterable[tuple[str, str]], keep_alive: bool
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_phrase(status)}",
        "Server: nginx/1.18.0",
        f"Content-Type: {content_type}",
        f"Content-Length: {length}",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class HttpConnection(asyncio.Protocol):
    """Reads requests from one socket; the next is handed to `handler` once the last was answered."""

    def __init__(self, handler: Callable[[Exchange], None], lost: Callable[[HttpConnection], None]) -> None:
        self._handler = handler
        self._lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._current: Exchange | None = None
        self._pending: Exchange | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)
        self._transport = None
        current, self._current = self._current, None
        if current is not None:
            current.done = True
            for callback in current.on_close:
                callback()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._pump()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def finished(self, keep_alive: bool) -> None:
        """The current request was answered: take the next one, or close."""
        self._current = None
        if not keep_alive:
            self.close()
        elif self._buffer:
            asyncio.get_running_loop().call_soon(self._pump)

    def close(self, *, reset: bool = False) -> None:
        self._current = None
        if self._transport is None:
            return
        if not reset:
            self._transport.close()
            return
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _pump(self) -> None:
        if self._current is not None or self._transport is None:
            return
        try:
            exchange = self._next_exchange()
        except BadRequest as error:
            self.write(_head(400, 0, "text/plain", (("X-Error", str(error)),), False))
            self.close()
            return
        if exchange is not None:
            self._current = exchange
            self._handler(exchange)

    def _next_exchange(self) -> Exchange | None:
        if self._pending is None:
            self._pending = self._take_head()
        if self._pending is None:
            return None
        body = self._take_body(self._pending.headers)
        if body is None:
            return None
        exchange, self._pending = self._pending, None
        exchange.body = body
        return exchange

    def _take_head(self) -> Exchange | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest("the head is too long")
            return None
        lines = self._buffer[:end].decode("latin-1").lstrip("\r\n").split("\r\n")
        del self._buffer[: end + 4]
        exchange = _parse_head(self, lines)
        if exchange.headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return exchange

    def _take_body(self, headers: dict[str, str]) -> bytes | None:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._take_chunks()
        length = _number(headers.get("content-length", "0"), 10)
        if length > MAX_BODY:
            raise BadRequest("the body is too long")
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _take_chunks(self) -> bytes | None:
        """The whole chunked body, once its last chunk has arrived; nothing is consumed before that."""
        body, at = bytearray(), 0
        while True:
            line_end = self._buffer.find(b"\r\n", at)
            if line_end < 0:
                return None
            size = _number(self._buffer[at:line_end].decode("latin-1").split(";")[0], 16)
            start = line_end + 2
            if len(self._buffer) < start + size + 2:
                return None
            body += self._buffer[start : start + size]
            at = start + size + 2
            if size == 0:
                del self._buffer[:at]
                return bytes(body)


def _number(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError as error:
        raise BadRequest(f"not a length: {text!r}") from error


def _parse_head(connection: HttpConnection, lines: list[str]) -> Exchange:
    try:
        method, target, version = lines[0].split(" ")
        pairs = [line.split(":", 1) for line in lines[1:]]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
    except ValueError as error:
        raise BadRequest("not an HTTP/1.1 request") from error
    wish = headers.get("connection", "").lower()
    keep_alive = wish != "close" and (version != "HTTP/1.0" or wish == "keep-alive")
    return Exchange(connection, method, target, headers, keep_alive)


class HttpServer:
    """Listens on loopback; `port` 0 lets the kernel choose."""

    def __init__(self, handler: Callable[[Exchange], None], port: int = 0) -> None:
        self._handler = handler
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[HttpConnection] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> int:
        """Open the socket and return its port, which stays the same when started again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self._port

    def _accept(self) -> HttpConnection:
        connection = HttpConnection(self._handler, self._lost)
        self._connections.add(connection)
        self._idle.clear()
        return connection

    def _lost(self, connection: HttpConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()

    async def stop(self) -> None:
        """Close the socket and every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.close(reset=True)
        await self._server.wait_closed()
        await self._idle.wait()
        self._server = None
