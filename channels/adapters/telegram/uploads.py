"""Sends files: each kind by its own method where Telegram takes it so, else as a document.

Methods and their limits: https://core.telegram.org/bots/api#sending-files
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from telegram import InputFile, Message
from telegram.error import BadRequest

from channels.adapters.telegram.errors import unparsable
from channels.adapters.telegram.writer import CAPTION_LIMIT, Body, Writer, formatted, place
from channels.errors import Refused
from channels.types import File, Media, Outbound

OFFICIAL_LIMIT = 50_000_000
OWN_LIMIT = 2_000_000_000
"""Bytes, of a Bot API server of one's own: https://core.telegram.org/bots/api#using-a-local-bot-api-server"""
_PHOTO_LIMIT = 10_000_000
_ANSWER_SECONDS = 120.0
"""A large file is passed on before it is confirmed."""

_PHOTOS = ("image/jpeg", "image/png", "image/webp")
_MUSIC = ("audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/m4a")
_TAKEN = {
    Media.IMAGE: _PHOTOS,
    Media.VOICE: ("audio/ogg", "audio/opus", *_MUSIC),
    Media.AUDIO: _MUSIC,
    Media.VIDEO: ("video/mp4",),
}

Send = Callable[..., Awaitable[Message]]


class Uploads:
    """`limit` is the most bytes that the server takes."""

    def __init__(self, writer: Writer, limit: int) -> None:
        self.limit = limit
        self._writer = writer

    async def send(self, out: Outbound, file: File, caption: Body) -> str:
        """A file with its caption in Markdown; returns its reference. Raises `Refused` for one that can't be sent."""
        kind = _kind(file, await self._size(file))
        bot = self._writer.bot
        method: dict[Media, Send] = {
            Media.IMAGE: bot.send_photo,
            Media.VOICE: bot.send_voice,
            Media.AUDIO: bot.send_audio,
            Media.VIDEO: bot.send_video,
        }
        try:
            return await self._captioned(method.get(kind, bot.send_document), out, file, caption)
        except BadRequest as error:
            if kind is Media.FILE or unparsable(error):
                raise
        # Refused as what it is, by its size, its sides or its reader's wish: as a document everything goes.
        return await self._captioned(bot.send_document, out, file, caption)

    async def _size(self, file: File) -> int:
        try:
            size = (await asyncio.to_thread(file.path.stat)).st_size
        except OSError as error:
            raise Refused(f"the file {file.name} can't be read: {error.strerror}") from error
        if size > self.limit:
            raise Refused(
                f"the file {file.name} has {size / 1e6:.0f} MB, and Telegram takes at most "
                f"{self.limit // 10**6} MB from a bot"
            )
        if not size:
            raise Refused(f"the file {file.name} is empty, which Telegram doesn't take")
        return size

    async def _captioned(self, send: Send, out: Outbound, file: File, caption: Body) -> str:
        async def call(text: str, mode: str | None) -> str:
            return await self._writer.deliver(
                out.address, lambda chat: _sent(send, chat, out, file, Body(text, mode, caption.keyboard))
            )

        return await formatted(caption.text, CAPTION_LIMIT, call)


async def _sent(send: Send, chat: str, out: Outbound, file: File, body: Body) -> Message:
    try:
        handle = await asyncio.to_thread(file.path.open, "rb")
    except OSError as error:
        raise Refused(f"the file {file.name} can't be read: {error.strerror}") from error
    with handle:
        return await send(
            chat,
            InputFile(handle, file.name, read_file_handle=False),
            caption=body.text or None,
            parse_mode=body.mode,
            reply_markup=body.keyboard,
            read_timeout=_ANSWER_SECONDS,
            **place(out),
        )


def _kind(file: File, size: int) -> Media:
    """What a file can be sent as; `Media.FILE` for anything that Telegram shows as a document only."""
    mime = file.mime.partition(";")[0].strip().lower()
    if mime not in _TAKEN.get(file.kind, ()) or (file.kind is Media.IMAGE and size > _PHOTO_LIMIT):
        return Media.FILE
    return file.kind
