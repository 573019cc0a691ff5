"""The facade: what the gateway asks to hear and to speak. Nothing of it runs in the event loop or stays in the
daemon's memory.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.config.schema import OFF, VoiceSettings
from bot.voice import models as local
from bot.voice import speak as speaking
from bot.voice.errors import Unreadable, VoiceError
from bot.voice.process import Worker, worker_command
from bot.voice.sound import Sound, sound
from bot.voice.speak import Found, Speaker
from bot.voice.speakable import speakable
from bot.voice.transcribe import ByProviders, ByThisMachine, InTurn, Listener, Progress
from providers.client import ModelClient
from providers.sound import TRANSCRIPTION

log = logging.getLogger(__name__)

HOW = (
    f"name a provider for it ([roles] transcription), or install what hears on this machine: {local.EXTRA}; "
    "docs/VOICE.md says more"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What is said in a recording, and who wrote it down: "groq/whisper-large-v3-turbo", "base on this machine"."""

    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Available:
    """Who hears, in the order in which they are asked, and who speaks; what they lack is in the lines `missing`."""

    hears: tuple[str, ...]
    speaks: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has: whether the extra `voice` is installed, and where programs are."""

    extra: Callable[[], bool] = local.installed
    found: Found = shutil.which


class Voice:
    """`settings` are asked at each use, so that a reload counts. `data` is the data folder. For one event loop."""

    def __init__(
        self,
        settings: Callable[[], VoiceSettings],
        models: ModelClient,
        data: Path,
        machine: Machine = Machine(),
        worker: Worker | None = None,
    ) -> None:
        self._settings = settings
        self._models = models
        self._data = data
        self._machine = machine
        self._worker = worker or Worker(self._command)

    async def transcribe(self, path: Path, *, progress: Progress | None = None) -> Heard:
        """What is said in a recording; nothing at all is "". `progress` gets lines for the person who waits for a long
        one. Raises VoiceError.
        """
        settings, tell = self._settings(), progress or _silent
        if not settings.transcribe:
            raise VoiceError("voice notes are not written down here ([voice] transcribe = false)")
        listeners = self._listeners(settings)
        if not listeners:
            raise VoiceError(f"nothing here can write speech down; {HOW}")
        means = self._sound()
        length = await _length(means, path)
        most = settings.max_minutes * 60
        if length > most:
            raise VoiceError(
                f"the recording is {length / 60:.0f} minutes long, and {settings.max_minutes} are written down at most "
                "([voice] max_minutes)"
            )
        try:
            return await _whole(InTurn(listeners), path, length, most, tell)
        except OSError as error:
            raise VoiceError(f"the recording can't be read: {error.strerror}") from error

    async def speak(self, text: str, to: Path) -> Path:
        """Say a Markdown text, as much as fits in a minute and a half, in a voice note at `to`, a name in .ogg.
        Returns the file, which has another ending where nothing here packs Opus. Raises VoiceError.
        """
        said = speakable(text)
        if not said:
            raise VoiceError("there is nothing in it that can be spoken")
        speaker = self._speaker(self._settings())
        try:
            return await speaking.speak(said, to, speaker, self._models, self._sound())
        except OSError as error:
            raise VoiceError(f"the voice note can't be stored: {error.strerror}") from error

    def available(self) -> Available:
        """What works now, as far as that shows without trying."""
        settings = self._settings()
        missing = []
        hears = self._hears(settings) if settings.transcribe else ()
        if settings.transcribe and not hears:
            missing.append(f"nothing here can write speech down; {HOW}")
        elif "local" in settings.model_fields_set and settings.local != OFF and not self._machine.extra():
            missing.append(f"[voice] local needs what hears on this machine: {local.EXTRA}")
        speaker = self._speaker(settings)
        try:
            speaks = speaker.by_provider or speaker.program().name
        except VoiceError as error:
            speaks = ""
            missing += [str(error)] if settings.reply or settings.speech else []
        return Available(hears, speaks, tuple(missing))

    async def aclose(self) -> None:
        """End the worker, whatever it does."""
        await self._worker.aclose()

    def _hears(self, settings: VoiceSettings) -> tuple[str, ...]:
        model = local.local_model(settings.local, self._data) if self._machine.extra() else None
        here = (f"{model.name} on this machine",) if model else ()
        if here and not self._wished():
            return here
        return (*(str(candidate.route) for candidate in self._models.candidates(TRANSCRIPTION)), *here)

    def _listeners(self, settings: VoiceSettings) -> list[Listener]:
        """Who was wished for first; without a wish, speech leaves this machine only if nothing here hears."""
        language = settings.language or ""
        here: list[Listener] = []
        model = local.local_model(settings.local, self._data)
        if model is not None and self._machine.extra():
            here.append(ByThisMachine(self._worker, model, language))
        if here and not self._wished():
            return here
        if not self._models.candidates(TRANSCRIPTION):
            return here
        return [ByProviders(self._models, self._sound(), language), *here]

    def _wished(self) -> bool:
        """Whether the owner said which model hears."""
        catalog = self._models.catalog
        return any(TRANSCRIPTION in names for names in (catalog.roles, catalog.fallback, catalog.aliases))

    def _sound(self) -> Sound | None:
        return sound(self._worker, extra=self._machine.extra(), found=self._machine.found)

    def _speaker(self, settings: VoiceSettings) -> Speaker:
        return Speaker(
            settings.speech,
            settings.speaker or "",
            settings.language or "",
            self._data,
            self._machine.found,
        )

    def _command(self) -> tuple[str, ...]:
        model = local.local_model(self._settings().local, self._data)
        return worker_command(model.folder if model else None)


async def _whole(listener: InTurn, path: Path, length: float, most: float, tell: Progress) -> Heard:
    """Piece by piece; a recording that didn't tell its length ends where the limit is."""
    texts: list[str] = []
    by: dict[str, None] = {}
    start = 0.0
    while True:
        part = await listener.hear(path, start, length, tell)
        texts.append(part.text.strip())
        by[part.by] = None
        if part.last or part.end <= start:
            break
        if part.end >= most:
            texts.append(f"(The rest, after {part.end / 60:.0f} minutes, was not written down.)")
            break
        start = part.end
        of = f" of {length / 60:.0f}" if length else ""
        await tell(f"I am listening to the recording: {start / 60:.0f}{of} minutes so far.")
    return Heard(" ".join(filter(None, texts)), ", ".join(by))


async def _length(means: Sound | None, path: Path) -> float:
    """In seconds; 0 where nobody here can tell."""
    if means is None:
        return 0.0
    try:
        return await means.length(path)
    except Unreadable:
        raise
    except VoiceError as error:
        log.warning("how long a recording is could not be found out: %s", error)
        return 0.0


async def _silent(_line: str) -> None:
    """Where nobody waits."""
