"""Voice notes written down: by providers, by this machine, one after the other, in pieces; and what is said where
it doesn't work.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.voice import Heard, VoiceError
from bot.voice.transcribe import LARGEST
from providers.registry import Catalog
from providers.settings import ProviderSettings
from tests.fakes.llm import LLMFake, errors
from tests.fakes.llm.peers import Answer
from tests.fakes.llm.sound import Sound
from tests.unit.voice.conftest import Make, orders, provider

Write = Callable[[str], Path]
DOWN = Answer(503, errors.openai("Service Unavailable"))


@pytest.fixture
def model(tmp_path: Path) -> str:
    """The folder of a model that is there."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.bin").touch()
    (folder / "config.json").touch()
    return str(folder)


async def test_this_machine_hears(make: Make, recording: Write, model: str) -> None:
    path = recording("call the dentist")

    heard = await make(local=model, language="en").transcribe(path)

    assert heard == Heard("call the dentist", "mine on this machine")
    assert [(order["do"], order.get("language")) for order in orders(path)] == [
        ("length", None),
        ("hear", "en"),
    ]


async def test_who_was_wished_for_hears_and_gets_the_file_as_it_is(
    make: Make, recording: Write, model: str
) -> None:
    async with LLMFake() as llm:
        sound = Sound(llm, "Call the dentist.")
        heard = await make(provider(llm), local=model, language="it").transcribe(
            recording("call the dentist")
        )

    assert heard == Heard("Call the dentist.", "a/whisper-1")
    (asked,) = sound.asked
    assert (asked.file, asked.media_type, asked.data) == ("voice.ogg", "audio/ogg", b"OggS call the dentist")
    assert asked.fields["language"] == "it"


async def test_without_a_wish_nothing_leaves_a_machine_that_hears(
    make: Make, recording: Write, model: str
) -> None:
    known = Catalog.of({"groq": ProviderSettings.model_validate({"api_key": "x"})})

    assert make(known, local=model).available().hears == ("mine on this machine",)
    assert make(known, local="off").available().hears == ("groq/whisper-large-v3-turbo",)
    assert make(known, extra=False).available().hears == ("groq/whisper-large-v3-turbo",)


async def test_this_machine_goes_on_where_the_provider_fails(
    make: Make, recording: Write, model: str
) -> None:
    async with LLMFake() as llm:
        Sound(llm).after = DOWN
        heard = await make(provider(llm), local=model).transcribe(recording("call the dentist"))

    assert heard == Heard("call the dentist", "mine on this machine")


async def test_a_long_recording_goes_in_pieces_and_progress_is_told(
    make: Make, recording: Write, model: str
) -> None:
    told: list[str] = []

    async def tell(line: str) -> None:
        told.append(line)

    words = " ".join(str(number) for number in range(700))
    heard = await make(local=model).transcribe(recording(words), progress=tell)

    assert heard.text == words
    assert told == [
        f"I am listening to the recording: {minutes} of 12 minutes so far." for minutes in (2, 4, 6, 8, 10)
    ]


async def test_a_provider_that_fails_midway_keeps_what_it_heard(
    make: Make, recording: Write, model: str
) -> None:
    async with LLMFake() as llm:
        sound = Sound(llm, "First piece.")
        sound.after = DOWN
        words = " ".join(["word"] * 700)
        heard = await make(provider(llm), local=model).transcribe(recording(words))

    assert heard.text == "First piece. " + " ".join(["word"] * 400)
    assert heard.by == "a/whisper-1, mine on this machine"
    assert len(sound.asked[0].data.split()) == 301


async def test_without_tools_a_provider_gets_it_whole(make: Make, recording: Write) -> None:
    async with LLMFake() as llm:
        sound = Sound(llm, "All of it.")
        path = recording(" ".join(["word"] * 700))
        heard = await make(provider(llm), extra=False).transcribe(path)

    assert heard.text == "All of it."
    assert sound.asked[0].data == path.read_bytes()


async def test_a_recording_that_is_too_long_is_refused_before_anything_is_asked(
    make: Make, recording: Write, model: str
) -> None:
    path = recording(" ".join(["word"] * 181))

    with pytest.raises(
        VoiceError, match=r"is 3 minutes long, and 2 are written down at most \(\[voice\] max_minutes\)"
    ):
        await make(local=model, max_minutes=2).transcribe(path)

    assert [order["do"] for order in orders(path)] == ["length"]


async def test_one_that_does_not_tell_its_length_ends_at_the_limit(
    make: Make, recording: Write, model: str
) -> None:
    heard = await make(local=model, max_minutes=4).transcribe(recording("endless " * 700))

    assert heard.text == "endless " * 240 + "(The rest, after 4 minutes, was not written down.)"


async def test_a_model_is_fetched_once_when_it_is_first_needed(
    make: Make, recording: Write, tmp_path: Path
) -> None:
    told: list[str] = []

    async def tell(line: str) -> None:
        told.append(line)

    voice = make(local="tiny")
    for _ in range(2):
        assert (await voice.transcribe(recording("hello"), progress=tell)).by == "tiny on this machine"

    assert told == ["I am fetching the speech model tiny (75 MB), once."]
    assert (tmp_path / "models" / "whisper" / "tiny" / "model.bin").exists()


async def test_a_worker_that_is_killed_midway_is_started_again(
    make: Make, recording: Write, model: str
) -> None:
    path = recording("dies-once but goes on")

    heard = await make(local=model).transcribe(path)

    assert heard.text == "dies-once but goes on"
    assert len({order["pid"] for order in orders(path)}) == 2


async def test_one_that_dies_each_time_is_told_of_and_leaves_nothing_running(
    make: Make, recording: Write, model: str
) -> None:
    voice = make(local=model)

    with pytest.raises(VoiceError, match="has died twice: it was killed; the machine may be short of memory"):
        await voice.transcribe(recording("die"))

    assert (await voice.transcribe(recording("fine again"))).text == "fine again"


async def test_cancelling_ends_the_work(make: Make, recording: Write, model: str) -> None:
    path = recording("hang")
    task = asyncio.create_task(make(local=model).transcribe(path))
    while not path.with_name("orders").exists() or len(orders(path)) < 2:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(orders(path)[0]["pid"], 0)


SAID: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing there": (
        {"extra": False},
        "hello",
        "nothing here can write speech down; name a provider for it",
    ),
    "switched off": ({"transcribe": False}, "hello", "voice notes are not written down here"),
    "no sound": ({}, "", "the file holds no sound"),
    "no model": ({"local": "/nowhere/at/all"}, "hi", "/nowhere/at/all holds no model of faster-whisper's"),
    "no way to fetch": ({"local": "medium"}, "hi", "medium (1530 MB) can't be fetched from huggingface.co"),
}


@pytest.mark.parametrize("case", SAID)
async def test_it_is_said_why_nothing_was_heard(case: str, make: Make, recording: Write) -> None:
    settings, words, expected = SAID[case]

    with pytest.raises(VoiceError) as caught:
        await make(**settings).transcribe(recording(words))

    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_every_provider_s_failure_is_told(make: Make, recording: Write) -> None:
    refusal = errors.openai("Rate limit reached", "requests", "rate_limit_exceeded")
    async with LLMFake() as llm:
        Sound(llm).after = Answer(429, refusal, headers={"retry-after": "600"})
        with pytest.raises(VoiceError, match=r"a/whisper-1 is rate-limited \(Rate limit reached\)"):
            await make(provider(llm), extra=False).transcribe(recording("hello"))


async def test_what_no_provider_takes_needs_tools(make: Make, tmp_path: Path) -> None:
    amr, large = tmp_path / "voice.amr", tmp_path / "large.ogg"
    amr.write_bytes(b"#!AMR\n")
    with large.open("wb") as file:
        file.write(b"OggS")
        file.truncate(LARGEST + 1)
    async with LLMFake() as llm:
        voice = make(provider(llm), extra=False)
        for path in (amr, large):
            with pytest.raises(VoiceError, match="with ffmpeg installed"):
                await voice.transcribe(path)

    assert not llm.probes


async def test_a_file_that_is_gone_is_no_crash(make: Make, tmp_path: Path) -> None:
    async with LLMFake() as llm:
        with pytest.raises(VoiceError, match="can't be read: No such file"):
            await make(provider(llm), extra=False).transcribe(tmp_path / "gone.ogg")
