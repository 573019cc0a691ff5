"""One path on which POSTs are taken, over plain HTTP: a reverse proxy or tunnel before it speaks TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels import webhook

Answer = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""What to do with a body, given the headers; returns the status to answer with."""


@asynccontextmanager
async def listening(address: tuple[str, int], path: str, answer: Answer) -> AsyncIterator[None]:
    """Listen while in here. Raises OSError."""

    async def taken(request: Request) -> Response:
        return Response(status_code=await answer(request.headers, await request.body()))

    app = Starlette(routes=[Route(path, taken, methods=["POST"])])
    async with webhook.listening(app, *address):
        yield
