"""A small web server in the running loop, for channels whose servers deliver by HTTP: a reverse proxy or tunnel stands
before it and speaks TLS.

Everything about a client is bounded: how long it may take for its request, how large that is, how many there are.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import cast

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_GOODBYE_SECONDS = 1
"""For answers under way when the listener leaves. Senders repeat what was not answered."""
_LEAVE_SECONDS = _GOODBYE_SECONDS + 1.0
_BACKLOG = 64
_HEAD_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Bounds:
    """`body` in bytes; `seconds` for a client to say all that it wants, once for the head and once for the body."""

    body: int = 1_000_000
    seconds: float = 10.0
    clients: int = 64


@asynccontextmanager
async def listening(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 0, bounds: Bounds | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Serve an application while in here; yields the address it is bound to. Raises OSError.

    The application gets complete requests only. Each connection carries one.
    """
    bounds = bounds or Bounds()
    listener = _bound(host, port)
    try:
        address = listener.getsockname()
        async with _serving(_server(_Bounded(app, bounds), bounds), listener):
            yield address[0], address[1]
    except BaseExceptionGroup as failed:
        if len(failed.exceptions) != 1:
            raise
        # What a group of tasks wraps is the caller's own error.
        raise failed.exceptions[0] from None
    finally:
        listener.close()


@asynccontextmanager
async def _serving(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.serve([listener]))
        try:
            yield
        finally:
            # It has to leave by itself: one that is cancelled keeps its sockets open.
            server.should_exit = True
            await asyncio.wait([task], timeout=_LEAVE_SECONDS)
            task.cancel()


def _server(app: ASGIApp, bounds: Bounds) -> uvicorn.Server:
    class Protocol(_OneRequest):
        seconds = bounds.seconds

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("Connection", "close")],
        limit_concurrency=bounds.clients,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )
    server = uvicorn.Server(config)
    # The daemon has its own signals; uvicorn's would take them.
    server.capture_signals = _no_signals  # type: ignore[method-assign] # its own hook for this
    return server


class _OneRequest(H11Protocol):
    """Leaves a client that has not said what it wants after some seconds; uvicorn would wait for ever."""

    seconds = 10.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._patience = self.loop.call_later(self.seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        begun = cast("object | None", self.cycle)  # typed as if it were there from the start
        if begun is None:
            self.transport.close()


class _Bounded:
    """Reads a request's body before the application is asked, if it comes in time and is not too large."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._bounds.seconds):
                body = await self._body(receive)
        except TimeoutError:
            await Response(status_code=408)(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > self._bounds.body:
            await Response(status_code=413)(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replayed, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """The body, or its beginning where it is too large; None where the client left."""
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += cast("bytes", message.get("body", b""))
            if len(body) > self._bounds.body or not message.get("more_body", False):
                return body


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


@contextmanager
def _no_signals() -> Iterator[None]:
    yield
