"""One path on which POSTs are taken, over plain HTTP: a reverse proxy or tunnel before it speaks TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Answer = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""What to do with a body, given the headers; returns the status to answer with."""

_MOST_BYTES = 1_000_000
_GOODBYE_SECONDS = 1


@asynccontextmanager
async def listening(address: tuple[str, int], path: str, answer: Answer) -> AsyncIterator[None]:
    """Listen while in here. Raises OSError."""

    async def taken(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                return Response(status_code=413)
        return Response(status_code=await answer(request.headers, body))

    listener = _bound(address)
    config = uvicorn.Config(
        Starlette(routes=[Route(path, taken, methods=["POST"])]),
        log_config=None,
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        ws="none",
    )
    server = uvicorn.Server(config)
    # The daemon has its own signals; uvicorn's would take them.
    server.capture_signals = _no_signals  # type: ignore[method-assign] # its own hook for this
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve([listener]))
            try:
                yield
            finally:
                server.should_exit = True
    finally:
        listener.close()


def _bound(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.create_server(address, family=family)
    listener.setblocking(False)
    return listener


@contextmanager
def _no_signals() -> Iterator[None]:
    yield
