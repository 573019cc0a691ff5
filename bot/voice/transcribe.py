"""From a recording to text: in pieces, by models of providers, by this machine, or by one after the other."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.voice.errors import Unreadable, VoiceError
from bot.voice.formats import OGG, Format, recognise
from bot.voice.models import LocalModel, complete
from bot.voice.process import Worker
from bot.voice.sound import Sound
from providers import errors
from providers.client import ModelClient
from providers.errors import NoModel, ProviderError
from providers.sound import Recording
from providers.types import Attempt

log = logging.getLogger(__name__)

PIECE_SECONDS = 300.0
"""Of a long recording. Some of OpenAI's models take 25 minutes at most; what is lost with one piece is little."""
HERE_SECONDS = 120.0
"""Of one on this machine: five minutes take 600 MB, two 470."""
LARGEST = 24 * 2**20
"""Bytes of one request: 25 MB are OpenAI's and Groq's limit, form and all."""
_BYTES_A_SECOND = 2_000
"""Of a recording whose length is unknown, at least: 16 kbit/s."""
_AROUND = 60.0
"""Seconds for loading a model, or for a slow line, besides what the length asks for."""
_SLOWEST = 8.0
"""Seconds of computing for one of speech, at most, on this machine."""
_FETCH_WITHIN = 3600.0

WITHOUT_TOOLS = (
    f"providers take no recordings of this kind, or of more than {LARGEST // 2**20} MB; with ffmpeg installed here "
    "they would get it in pieces that they take"
)

Progress = Callable[[str], Awaitable[None]]


class CannotCut(VoiceError):
    """What cuts recordings fails, not because of the recording."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was heard in a piece; `end` is where it ends in the recording, in seconds."""

    text: str
    by: str
    end: float
    last: bool


class Listener(Protocol):
    async def hear(self, path: Path, start: float, length: float, progress: Progress) -> Part:
        """The piece that begins at `start` of a recording that is so long, as far as known (else 0).

        Raises `Unreadable` where the file is at fault, else VoiceError.
        """
        ...


class ByProviders:
    """The models of the role `transcription`, as for every other call."""

    def __init__(self, models: ModelClient, sound: Sound | None, language: str) -> None:
        self._models = models
        self._sound = sound
        self._language = language

    async def hear(self, path: Path, start: float, length: float, progress: Progress) -> Part:
        del progress
        whole = await asyncio.to_thread(_whole, path) if start == 0 else None
        if self._sound is None:
            if whole is None:
                raise VoiceError(WITHOUT_TOOLS)
            return await self._whole(path, *whole, length)
        if whole is not None and 0 < length <= PIECE_SECONDS:
            return await self._whole(path, *whole, length)
        try:
            return await self._piece(self._sound, path, start)
        except CannotCut:
            if whole is None:
                raise
            return await self._whole(path, *whole, length)

    async def _whole(self, path: Path, kind: Format, size: int, length: float) -> Part:
        data = await asyncio.to_thread(path.read_bytes)
        text, by = await self._ask(data, kind, length or size / _BYTES_A_SECOND)
        return Part(text, by, length, last=True)

    async def _piece(self, sound: Sound, path: Path, start: float) -> Part:
        with tempfile.TemporaryDirectory(prefix="nanobot-voice-") as folder:
            piece = Path(folder) / "piece.ogg"
            try:
                cut = await sound.pack(path, piece, start, PIECE_SECONDS)
            except Unreadable:
                raise
            except VoiceError as error:
                raise CannotCut(str(error)) from error
            data = await asyncio.to_thread(piece.read_bytes)
        text, by = await self._ask(data, OGG, min(PIECE_SECONDS, cut.end - start))
        return Part(text, by, cut.end, cut.last)

    async def _ask(self, data: bytes, kind: Format, seconds: float) -> tuple[str, str]:
        recording = Recording(data, f"voice.{kind.ending}", kind.media_type, seconds, self._language)
        try:
            said = await self._models.transcribe(recording, _AROUND + 2 * seconds)
        except NoModel as error:
            raise VoiceError(why(error.path)) from error
        return said.text, str(said.route)


class ByThisMachine:
    """faster-whisper, in the worker."""

    def __init__(self, worker: Worker, model: LocalModel, language: str) -> None:
        self._worker = worker
        self._model = model
        self._language = language

    async def hear(self, path: Path, start: float, length: float, progress: Progress) -> Part:
        await self._there(progress)
        piece = min(HERE_SECONDS, length - start) if length else HERE_SECONDS
        order = {
            "do": "hear",
            "path": str(path),
            "start": start,
            "most": HERE_SECONDS,
            "language": self._language or None,
        }
        answer = await self._worker.ask(order, _AROUND + _SLOWEST * max(piece, 0.0))
        return Part(answer["text"], f"{self._model.name} on this machine", answer["end"], answer["last"])

    async def _there(self, progress: Progress) -> None:
        """Fetch the model where it isn't there yet."""
        model = self._model
        if await asyncio.to_thread(complete, model.folder):
            return
        if not model.megabytes:
            raise VoiceError(f"[voice] local: {model.folder} holds no model of faster-whisper's")
        await progress(f"I am fetching the speech model {model.name} ({model.megabytes} MB), once.")
        await asyncio.to_thread(model.folder.parent.mkdir, parents=True, exist_ok=True)
        try:
            await self._worker.ask(
                {"do": "fetch", "name": model.name, "to": str(model.folder)}, _FETCH_WITHIN
            )
        except VoiceError as error:
            log.warning("the speech model %s could not be fetched: %s", model.name, error)
            raise VoiceError(
                f"the speech model {model.name} ({model.megabytes} MB) can't be fetched from huggingface.co; look at "
                f"the connection and the disk's room, or put its files into {model.folder} (docs/VOICE.md)"
            ) from error


class InTurn:
    """Listeners of which the next goes on where one can't; it then hears the rest, too."""

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = list(listeners)

    async def hear(self, path: Path, start: float, length: float, progress: Progress) -> Part:
        whys = []
        while self._listeners:
            try:
                return await self._listeners[0].hear(path, start, length, progress)
            except Unreadable:
                raise
            except VoiceError as error:
                whys.append(str(error))
                del self._listeners[0]
        raise VoiceError("; and ".join(whys))


def why(path: tuple[Attempt, ...]) -> str:
    """Why no model of a provider did it, for a person."""
    if not path:
        return "no provider is known that writes speech down"
    failures = dict.fromkeys(f"{a.route} {_summary(a)}" for a in path)
    return "; ".join(failures)


def _summary(attempt: Attempt) -> str:
    kind = getattr(errors, attempt.error, ProviderError)
    return (
        f"{kind.summary} ({attempt.detail})"
        if attempt.detail and attempt.detail != kind.summary
        else kind.summary
    )


def _whole(path: Path) -> tuple[Format, int] | None:
    """The format and size of a file that can be sent as it is; None for others."""
    size, kind = path.stat().st_size, recognise(path)
    return (kind, size) if kind is not None and size <= LARGEST else None
