"""From a text to a voice note, by a program of this machine or a model of a provider."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.config.schema import ESPEAK, PIPER
from bot.voice.errors import VoiceError
from bot.voice.formats import OGG, known
from bot.voice.process import run
from bot.voice.sound import Sound
from bot.voice.transcribe import why
from providers.client import ModelClient
from providers.errors import NoModel, UnknownName
from providers.sound import Utterance

LONGEST = 600.0
"""Seconds of one note; more is never spoken."""
_PROGRAM_WITHIN = 120.0
_PROVIDER_WITHIN = 120.0
_USUAL_VOICE = "alloy"
"""One that OpenAI's models and most servers of one's own know."""

Found = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Program:
    """One that gets a text and writes speech; `to` as its last argument is the file."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speaker:
    """`setting` is `[voice] speech`, `voice` the speaker. What is found on this machine is looked for each time."""

    setting: str | None
    voice: str
    language: str
    data: Path
    found: Found = shutil.which

    @property
    def by_provider(self) -> str:
        """The model that speaks, "" where a program does."""
        setting = self.setting or ESPEAK
        return "" if setting == ESPEAK or setting.startswith(f"{PIPER}:") else setting

    def program(self) -> Program:
        """Raises VoiceError where it isn't there."""
        setting = self.setting or ESPEAK
        if setting == ESPEAK:
            there = self.found(ESPEAK)
            if there is None:
                raise VoiceError(
                    "nothing here can speak; install espeak-ng (apt install espeak-ng), or see docs/VOICE.md"
                )
            return Program(ESPEAK, (there, "--stdin", "-v", self.voice or self.language or "en", "-w"))
        there = self.found(PIPER) or self._beside_python()
        if there is None:
            raise VoiceError("piper is not installed: pip install piper-tts, or see docs/VOICE.md")
        number = ("-s", self.voice) if self.voice else ()
        return Program(PIPER, (there, "-m", str(self._voice_file()), *number, "-f"))

    def _beside_python(self) -> str | None:
        own = Path(sys.executable).with_name(PIPER)
        return str(own) if own.is_file() else None

    def _voice_file(self) -> Path:
        name = (self.setting or "").partition(":")[2]
        file = Path(name).expanduser()
        if "/" not in name:
            file = self.data / "models" / "piper" / (name if name.endswith(".onnx") else f"{name}.onnx")
        if not file.is_file() or not Path(f"{file}.json").is_file():
            raise VoiceError(
                f"piper's voice {name} is not there: put {file.name} and {file.name}.json into {file.parent}"
            )
        return file


async def speak(text: str, to: Path, speaker: Speaker, models: ModelClient, sound: Sound | None) -> Path:
    """Say it in a file; as Opus in Ogg at `to`, or beside it with another ending where nothing here packs it so.

    Returns the file. Raises VoiceError.
    """
    with tempfile.TemporaryDirectory(prefix="nanobot-voice-") as folder:
        raw = Path(folder) / "speech"
        if speaker.by_provider:
            await _by_provider(text, raw, speaker, models)
        else:
            program = speaker.program()
            await run((*program.command, str(raw)), text, _PROGRAM_WITHIN)
        return await _delivered(raw, to, sound)


async def _by_provider(text: str, to: Path, speaker: Speaker, models: ModelClient) -> None:
    utterance = Utterance(text, speaker.voice or _USUAL_VOICE)
    try:
        speech = await models.speak(speaker.by_provider, utterance, _PROVIDER_WITHIN)
    except NoModel as error:
        raise VoiceError(why(error.path)) from error
    except UnknownName as error:
        raise VoiceError(f"[voice] speech: {error}") from error
    await asyncio.to_thread(to.write_bytes, speech.data)


async def _delivered(raw: Path, to: Path, sound: Sound | None) -> Path:
    """Put it in its place as Opus in Ogg, or as it is."""
    try:
        with await asyncio.to_thread(raw.open, "rb") as file:
            kind = known(file.read(16))
    except OSError as error:
        raise VoiceError(f"nothing was spoken: {error.strerror}") from error
    if kind is None:
        raise VoiceError("what was spoken is no sound")
    if kind.ending != "ogg" and sound is not None:
        packed = raw.with_name("packed.ogg")
        await sound.pack(raw, packed, 0.0, LONGEST)
        raw, kind = packed, OGG
    place = to.with_suffix(f".{kind.ending}")
    await asyncio.to_thread(shutil.move, raw, place)
    return place
