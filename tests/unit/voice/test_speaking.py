"""Answers spoken: by programs and by a provider's model, packed for chats or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.voice import VoiceError
from tests.fakes.llm import LLMFake, errors
from tests.fakes.llm.peers import Answer
from tests.fakes.llm.sound import Sound
from tests.unit.voice.conftest import Make, provider

SAYS = '#!/bin/sh\nfor last; do :; done\necho "$@" > {log}\n(printf "RIFF1234WAVE "; cat) > "$last"\n'


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Writes what it is given on its input to the file named last, and its arguments to a file `log`."""
    file = tmp_path / "program"
    file.write_text(SAYS.format(log=tmp_path / "log"))
    file.chmod(0o755)
    return file


def said(tmp_path: Path) -> list[str]:
    """The program's arguments but for the file."""
    return (tmp_path / "log").read_text().split()[:-1]


async def test_a_program_gets_the_speakable_text_on_its_input(
    make: Make, program: Path, tmp_path: Path
) -> None:
    voice = make(programs={"espeak-ng": program}, language="it")

    note = await voice.speak("**Buongiorno** -- see https://a.org/x", tmp_path / "note.ogg")

    assert said(tmp_path) == ["--stdin", "-v", "it", "-w"]
    # The stand-in of the worker packs a file by putting OggS before its words.
    assert note == tmp_path / "note.ogg"
    assert note.read_text() == "OggS RIFF1234WAVE Buongiorno -- see a.org."


async def test_where_nothing_packs_it_the_file_is_what_the_program_made(
    make: Make, program: Path, tmp_path: Path
) -> None:
    voice = make(programs={"espeak-ng": program}, extra=False, speaker="en-gb")

    note = await voice.speak("Hello", tmp_path / "note.ogg")

    assert note == tmp_path / "note.wav"
    assert note.read_text() == "RIFF1234WAVE Hello."
    assert said(tmp_path) == ["--stdin", "-v", "en-gb", "-w"]


async def test_piper_gets_its_voice_from_the_data_folder(make: Make, program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "piper"
    folder.mkdir(parents=True)
    voice = make(programs={"piper": program}, extra=False, speech="piper:joe")
    with pytest.raises(
        VoiceError, match=r"voice joe is not there: put joe.onnx and joe.onnx.json into .*/models/piper"
    ):
        await voice.speak("Hello", tmp_path / "note.ogg")
    (folder / "joe.onnx").touch()
    (folder / "joe.onnx.json").touch()

    await voice.speak("Hello", tmp_path / "note.ogg")

    assert said(tmp_path) == ["-m", str(folder / "joe.onnx"), "-f"]


async def test_a_provider_speaks(make: Make, tmp_path: Path) -> None:
    async with LLMFake() as llm:
        sound = Sound(llm, b"OggS speech", models=("tts",))
        voice = make(provider(llm), extra=False, speech="a/tts", speaker="nova")

        note = await voice.speak("# Hello\n\n- you", tmp_path / "note.ogg")

    assert note.read_bytes() == b"OggS speech"
    assert (sound.asked[0].fields["input"], sound.asked[0].fields["voice"]) == ("Hello. you.", "nova")


SAID: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing there": ({}, "Hello", "nothing here can speak; install espeak-ng"),
    "no piper": ({"speech": "piper:joe"}, "Hello", "piper is not installed"),
    "no such model": ({"speech": "zebra/tts"}, "Hello", "[voice] speech: unknown model 'zebra/tts'"),
    "nothing to say": ({}, "```\ncode\n```", "nothing in it that can be spoken"),
}


@pytest.mark.parametrize("case", SAID)
async def test_it_is_said_why_nothing_is_spoken(case: str, make: Make, tmp_path: Path) -> None:
    settings, text, expected = SAID[case]

    with pytest.raises(VoiceError) as caught:
        await make(**settings).speak(text, tmp_path / "note.ogg")

    assert expected in str(caught.value)
    assert not (tmp_path / "note.ogg").exists()


async def test_a_provider_s_refusal_is_told(make: Make, tmp_path: Path) -> None:
    async with LLMFake() as llm:
        Sound(llm, models=("tts",)).after = Answer(401, errors.openai("Wrong.", "x", "invalid_api_key"))
        with pytest.raises(VoiceError, match="a/tts refused the key"):
            await make(provider(llm), speech="a/tts").speak("Hello", tmp_path / "note.ogg")


async def test_a_program_that_writes_no_sound_is_told_of(make: Make, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)

    with pytest.raises(VoiceError, match="nothing was spoken: No such file"):
        await make(programs={"espeak-ng": program}).speak("Hello", tmp_path / "note.ogg")


def test_what_is_there_is_told(make: Make, program: Path) -> None:
    there = make(programs={"espeak-ng": program}).available()
    nothing = make(extra=False, reply=True).available()

    assert (there.hears, there.speaks, there.missing) == (("base on this machine",), "espeak-ng", ())
    assert (nothing.hears, nothing.speaks) == ((), "")
    assert "nothing here can write speech down" in nothing.missing[0]
    assert "install espeak-ng" in nothing.missing[1]
