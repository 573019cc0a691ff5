"""Brings files that people sent to the bot.

https://core.telegram.org/bots/api#getfile; a server started with --local gives paths on its own disk instead:
https://core.telegram.org/bots/api#using-a-local-bot-api-server
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
from telegram import Bot
from telegram.error import BadRequest

from channels.adapters.telegram.errors import FAILURES, delivery_error
from channels.adapters.telegram.settings import TelegramSettings
from channels.errors import DeliveryError, NotSent, Refused

_CHUNK = 1 << 18
_TOO_BIG = (
    "Telegram hands bots files of at most 20 MB; with a Bot API server of your own there is no such limit: "
    "docs/TELEGRAM.md"
)
_ELSEWHERE = (
    "the Bot API server runs with --local and keeps its files where they can't be read from here; run it on this "
    "machine with its files readable, or without --local"
)


class Downloads:
    def __init__(self, bot: Bot, settings: TelegramSettings, http: httpx.AsyncClient) -> None:
        self._bot = bot
        self._settings = settings
        self._http = http

    async def fetch(self, file_id: str, to: Path, most: int) -> None:
        """Bring a file to a path. Raises `NotSent` where it may work later, `Refused` where never, OSError."""
        path = await self._path(file_id)
        if path.startswith("/") and not self._settings.official:
            if await asyncio.to_thread(_readable, Path(path)):
                async with aclosing(_from_disk(Path(path))) as chunks:
                    await _written(to, most, chunks)
                return
            if not self._settings.base_file_url:
                raise Refused(_ELSEWHERE)
        try:
            await self._download(f"{self._bot.base_file_url}/{path.lstrip('/')}", to, most)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotSent(f"the file could not be fetched from Telegram: {type(error).__name__}") from error

    async def _path(self, file_id: str) -> str:
        """Where the server keeps the file: below its own address, or with a leading slash on its disk."""
        try:
            path = (await self._bot.get_file(file_id)).file_path or ""
        except BadRequest as error:
            raise _refusal(error) from error
        except FAILURES as error:
            failure = delivery_error(error)
            if isinstance(failure, Refused):
                raise failure from error
            raise NotSent(failure.detail, retry_after=getattr(failure, "retry_after", None)) from error
        if not path:
            raise NotSent("Telegram has the file but does not say where")
        return path.removeprefix(f"{self._bot.base_file_url}/")

    async def _download(self, url: str, to: Path, most: int) -> None:
        async with self._http.stream("GET", url) as response:
            if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
                raise Refused(f"Telegram refuses the file with status {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise NotSent(f"Telegram's file server answered with status {response.status_code}")
            await _written(to, most, response.aiter_bytes(_CHUNK))


async def _written(to: Path, most: int, chunks: AsyncIterator[bytes]) -> None:
    size = 0
    with await asyncio.to_thread(to.open, "wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise Refused(f"the file is larger than {most / 1e6:.1f} MB")
            await asyncio.to_thread(file.write, chunk)


async def _from_disk(path: Path) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


def _readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def _refusal(error: BadRequest) -> DeliveryError:
    """Telegram gives a 400 no code of its own, only words."""
    words = str(error).lower()
    if "file is too big" in words:
        return Refused(_TOO_BIG)
    if "temporarily unavailable" in words:
        return NotSent("Telegram can't give the file at the moment")
    return Refused(f"Telegram no longer has the file: {error}")
