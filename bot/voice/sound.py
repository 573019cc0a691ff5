"""Cutting recordings and packing speech for chats, by whatever this machine has for that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.voice.errors import Unreadable, VoiceError
from bot.voice.process import Worker, run

_WITHIN = 120.0
"""Seconds for one piece: decoding takes a hundredth of its length, on a slow machine a tenth."""
_ROUNDED = 0.1
"""Seconds by which lengths that a file tells may be off."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a piece ends in the recording, in seconds, and whether that ends there, too."""

    end: float
    last: bool


class Sound(Protocol):
    async def length(self, path: Path) -> float:
        """Of a recording, in seconds; 0 where it doesn't tell. Raises `Unreadable`, VoiceError."""
        ...

    async def pack(self, path: Path, to: Path, start: float, most: float) -> Cut:
        """Write at most so many seconds of it, from `start` on, as Opus in Ogg. Raises as `length` does."""
        ...


class ByWorker:
    """PyAV, which comes with the extra `voice`. It cuts in pauses."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def length(self, path: Path) -> float:
        answer = await self._worker.ask({"do": "length", "path": str(path)}, _WITHIN)
        return float(answer["seconds"])

    async def pack(self, path: Path, to: Path, start: float, most: float) -> Cut:
        order = {"do": "encode", "path": str(path), "to": str(to), "start": start, "most": most}
        answer = await self._worker.ask(order, _WITHIN)
        return Cut(answer["end"], answer["last"])


class ByFfmpeg:
    """The programs of Debian's package ffmpeg."""

    async def length(self, path: Path) -> float:
        asked = (
            "-v",
            "error",
            "-show_entries",
            "format=duration:stream=codec_type",
            "-of",
            "json",
            _file(path),
        )
        try:
            said = json.loads(await run(("ffprobe", *asked), "", _WITHIN))
        except (VoiceError, ValueError) as error:
            raise Unreadable("the file holds no sound that can be read") from error
        if not any(stream.get("codec_type") == "audio" for stream in said.get("streams", ())):
            raise Unreadable("the file holds no sound")
        try:
            return float(said["format"]["duration"])
        except (KeyError, ValueError):
            return 0.0

    async def pack(self, path: Path, to: Path, start: float, most: float) -> Cut:
        opus = ("-vn", "-ac", "1", "-c:a", "libopus", "-b:a", "24k", "-f", "ogg", "-y", _file(to))
        cut = ("-ss", f"{start:.3f}", "-t", f"{most:.3f}", "-i", _file(path))
        await run(("ffmpeg", "-nostdin", "-v", "error", *cut, *opus), "", _WITHIN)
        if length := await self.length(path):
            return Cut(start + most, length < start + most + _ROUNDED)
        return Cut(start + most, await self.length(to) < most - _ROUNDED)


def sound(worker: Worker, *, extra: bool, found: Callable[[str], str | None] = shutil.which) -> Sound | None:
    """What there is on this machine; `extra` says that the worker can do it."""
    if extra:
        return ByWorker(worker)
    return ByFfmpeg() if found("ffmpeg") and found("ffprobe") else None


def _file(path: Path) -> str:
    """As a name that is no option and no address."""
    return f"file:{path}"
