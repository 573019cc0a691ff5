"""The address on this machine to which a browser brings the code of a sign-in."""

from __future__ import annotations

import asyncio
import secrets
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit

from bot.errors import BotError

_HEAD_LIMIT = 16_384
_HEAD_SECONDS = 10.0
_PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>nanobot</title>
<body style="font-family:sans-serif;margin:4em auto;max-width:30em"><h1>{title}</h1><p>{text}</p></body></html>
"""


class Callback:
    """`url` holds a secret of this sign-in (OAuth's `state`) as its path, so that no other page can slip in a code."""

    def __init__(self) -> None:
        self.url = ""
        self._state = secrets.token_urlsafe(24)
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._visitors: set[StreamWriter] = set()

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[Self]:
        """Listen on a free port of this machine, and nowhere else, until the block ends."""
        callback = cls()
        server = await asyncio.start_server(callback._answer, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        port = server.sockets[0].getsockname()[1]
        # OpenRouter takes `localhost` with any port; a browser tries 127.0.0.1 for it, too.
        callback.url = f"http://localhost:{port}/{callback._state}"
        try:
            yield callback
        finally:
            server.close()
            # Browsers open connections in advance, and never say anything on some of them.
            for visitor in list(callback._visitors):
                visitor.close()
            await server.wait_closed()

    async def code(self) -> str:
        """Wait for it. Raises BotError where the person declined."""
        return await self._code

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._visitors.add(writer)
        with suppress(
            OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._reply(head.split(b"\r\n", 1)[0].decode("latin-1")))
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self._visitors.discard(writer)

    def _reply(self, request_line: str) -> bytes:
        method, _, rest = request_line.partition(" ")
        target = urlsplit(rest.rpartition(" ")[0])
        query = parse_qs(target.query)
        ours = secrets.compare_digest(target.path.lstrip("/").encode(), self._state.encode())
        if method != "GET" or not ours:
            return _page("404 Not Found", "Nothing here", "This address is only for signing in.")
        if code := query.get("code", [""])[0]:
            self._settle(code)
            return _page("200 OK", "Done", "You can close this page and go back to the terminal.")
        if not self._code.done():
            why = "; ".join(query.get("error_description", query.get("error", ["no code came back"])))
            self._code.set_exception(
                BotError(f"OpenRouter did not let you in: {why[:200]}; nothing has changed")
            )
        return _page("200 OK", "Not signed in", "Nothing has changed. The terminal says more.")

    def _settle(self, code: str) -> None:
        if not self._code.done():
            self._code.set_result(code)


def _page(status: str, title: str, text: str) -> bytes:
    body = _PAGE.format(title=title, text=text).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
