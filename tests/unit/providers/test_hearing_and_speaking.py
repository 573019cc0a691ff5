"""Speech through the models' client: what goes over the wire, who goes on where one can't, what it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from providers.client import ModelClient
from providers.errors import NoModel
from providers.ledger import ANSWERED, Call, NoLedger
from providers.registry import Catalog
from providers.settings import Limit, Limits, ProviderSettings
from providers.sound import Recording, Utterance
from providers.testing import Clock, scripted_client
from providers.types import ChatRequest, Message, Route
from tests.fakes.llm import LLMFake, Reply, Setup, errors
from tests.fakes.llm.peers import Answer
from tests.fakes.llm.sound import Sound

NOTE = Recording(b"OggS and so on", "voice.ogg", "audio/ogg", 30.0, "it")
HELLO = ChatRequest((Message("user", "hello"),))
BUSY = Answer(
    429,
    errors.openai("Rate limit reached", "requests", "rate_limit_exceeded"),
    headers={"retry-after": "600"},
)


class Book(NoLedger):
    def __init__(self) -> None:
        self.calls: list[Call] = []

    def append(self, call: Call) -> None:
        self.calls.append(call)


def client(
    chain: list[str], limits: Limits | None = None, book: Book | None = None, **providers: Any
) -> ModelClient:
    settings = {name: ProviderSettings.model_validate(table) for name, table in providers.items()}
    catalog = Catalog.of(
        settings,
        roles={"transcription": chain[0], "reasoning": f"{next(iter(providers))}/fake-1"},
        fallback={"transcription": chain},
    )
    clock = Clock()
    return ModelClient(catalog, clock=clock, sleep=clock.sleep, limits=limits, ledger=book)


def at(llm: LLMFake, **more: Any) -> dict[str, Any]:
    return {"api_base": llm.base_url, "models": ["fake-1"], **more}


@asynccontextmanager
async def open_client(models: ModelClient) -> AsyncIterator[ModelClient]:
    try:
        yield models
    finally:
        await models.aclose()


def failures(error: NoModel) -> list[tuple[str, str]]:
    return [(attempt.route.provider, attempt.error) for attempt in error.path]


async def test_a_recording_goes_as_a_form_and_comes_back_as_text() -> None:
    book = Book()
    async with LLMFake(setup=Setup(key="sk-1")) as llm:
        sound = Sound(llm, " Call the dentist at 9.30. ")
        async with open_client(client(["a/whisper-1"], book=book, a=at(llm, api_key="sk-1"))) as models:
            said = await models.transcribe(NOTE, 10)

    assert (said.text, said.route) == ("Call the dentist at 9.30.", Route("a", "whisper-1"))
    assert [(attempt.route, attempt.error) for attempt in said.path] == [(Route("a", "whisper-1"), "")]
    (asked,) = sound.asked
    assert asked.fields == {
        "model": "whisper-1",
        "response_format": "json",
        "temperature": "0",
        "language": "it",
    }
    assert (asked.file, asked.media_type, asked.data) == ("voice.ogg", "audio/ogg", NOTE.data)
    assert asked.key == "sk-1"
    (call,) = book.calls
    assert (call.role, call.outcome, call.usage.seconds) == ("transcription", ANSWERED, 30.0)


async def test_the_next_candidate_hears_where_the_first_is_rate_limited_and_rests() -> None:
    async with LLMFake() as first, LLMFake() as second:
        limited, other = Sound(first, BUSY), Sound(second, "One.", "Two.")
        chain = ["a/whisper-1", "b/whisper-1"]
        async with open_client(client(chain, a=at(first), b=at(second))) as models:
            one = await models.transcribe(NOTE, 10)
            two = await models.transcribe(NOTE, 10)

    assert (one.text, two.text) == ("One.", "Two.")
    assert [(a.route.provider, a.error, a.called) for a in one.path] == [
        ("a", "RateLimited", True),
        ("b", "", True),
    ]
    assert [(a.route.provider, a.error, a.called) for a in two.path] == [
        ("a", "RateLimited", False),
        ("b", "", True),
    ]
    assert (len(limited.asked), len(other.asked)) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, errors.openai("Incorrect API key provided.", "x", "invalid_api_key")), "Denied"),
        (Answer(429, errors.openai("You exceeded your quota", "x", "insufficient_quota")), "OutOfMoney"),
        (Answer(400, errors.openai("Invalid file format.", "invalid_request_error")), "NotSupported"),
        (Answer(413, errors.openai("Maximum content size limit exceeded", "server_error")), "TooLong"),
        (Answer(200, {"error": {"message": "engine died"}}), "ServerError"),
        (Answer(200, "<html>Sign in</html>", "text/html"), "Malformed"),
        (Answer(200, {"texts": []}), "Malformed"),
        (Answer(404, "404 page not found", "text/plain"), "NotSupported"),
    ],
)
async def test_every_failure_lets_the_next_one_hear(answer: Answer, error: str) -> None:
    async with LLMFake() as first, LLMFake() as second:
        Sound(first).after = answer
        Sound(second, "Heard.")
        async with open_client(client(["a/whisper-1", "b/whisper-1"], a=at(first), b=at(second))) as models:
            said = await models.transcribe(NOTE, 10)

    assert said.text == "Heard."
    assert said.path[0].error == error
    assert said.path[-1] == said.path[-1].__class__(Route("b", "whisper-1"), seconds=said.path[-1].seconds)


async def test_silence_is_an_answer() -> None:
    async with LLMFake() as llm:
        Sound(llm, "")
        async with open_client(client(["a/whisper-1"], a=at(llm))) as models:
            assert (await models.transcribe(NOTE, 10)).text == ""


@pytest.mark.parametrize("status", [404, 500])
async def test_a_server_whose_sound_is_missing_or_broken_still_answers_questions(status: int) -> None:
    async with LLMFake(Reply("Still here.")) as llm:
        if status == 500:
            Sound(llm).after = Answer(500, errors.openai("The server had an error"))
        async with open_client(client(["a/whisper-1"], a=at(llm))) as models:
            for _ in range(4):
                with pytest.raises(NoModel):
                    await models.transcribe(NOTE, 10)
            reply = await models.chat("reasoning", HELLO)

    assert reply.message.content == "Still here."
    assert reply.path[0].error == ""


async def test_a_provider_that_can_not_hear_is_passed_over_without_a_call() -> None:
    async with LLMFake() as claude, LLMFake() as llm:
        Sound(llm, "Heard.")
        anthropic = at(claude, kind="anthropic", api_key="k")
        async with open_client(client(["a/claude", "b/whisper-1"], a=anthropic, b=at(llm))) as models:
            said = await models.transcribe(NOTE, 10)

    first = said.path[0]
    assert (first.error, first.called) == ("NotSupported", False)
    assert not claude.requests


async def test_a_model_to_talk_to_never_stands_in_for_one_that_hears() -> None:
    async with LLMFake() as llm:
        sound = Sound(llm, BUSY)
        async with open_client(client(["a/whisper-1"], a=at(llm))) as models:
            with pytest.raises(NoModel) as caught:
                await models.transcribe(NOTE, 10)

    assert failures(caught.value) == [("a", "RateLimited")]
    assert len(sound.asked) == 1


async def test_minutes_cost_money_and_a_cap_is_kept() -> None:
    price = {"prompt": 0, "completion": 0, "minute": 0.006}
    table = {
        "api_base": "https://sound.invalid/v1",
        "api_key": "sk-1",
        "models": ["fake-1"],
        "model_info": {"whisper-1": {"price": price}},
    }
    limits = Limits(roles={"transcription": Limit(usd_per_day=0.002)})
    async with open_client(client(["a/whisper-1"], limits, a=table)) as models:
        with pytest.raises(NoModel) as caught:
            await models.transcribe(NOTE, 10)

    (attempt,) = caught.value.path
    assert (attempt.error, attempt.called) == ("OverLimit", False)
    assert "$0.003" in attempt.detail


async def test_what_it_came_to_is_told() -> None:
    price = {"prompt": 0, "completion": 0, "minute": 0.006}
    async with LLMFake() as llm:
        Sound(llm, "Hello.")
        told = at(llm, api_key="sk-1", model_info={"whisper-1": {"price": price}})
        async with open_client(client(["a/whisper-1"], a=told)) as models:
            said = await models.transcribe(NOTE, 10)

    assert said.usd == pytest.approx(0.003)


async def test_a_text_is_spoken() -> None:
    async with LLMFake() as llm:
        sound = Sound(llm, b"OggS speech", models=("tts",))
        async with open_client(client(["a/x"], a=at(llm))) as models:
            speech = await models.speak("a/tts", Utterance("Good morning.", "alloy"), 10)

    assert (speech.data, speech.media_type, speech.route) == (b"OggS speech", "audio/ogg", Route("a", "tts"))
    (asked,) = sound.asked
    assert asked.fields == {
        "model": "tts",
        "input": "Good morning.",
        "voice": "alloy",
        "response_format": "opus",
    }


@pytest.mark.parametrize("answer", [b"", Answer(200, {"text": "no"}), Answer(200, "<html>", "text/html")])
async def test_words_are_no_speech(answer: bytes | Answer) -> None:
    async with LLMFake() as llm:
        Sound(llm, models=("tts",)).after = answer
        async with open_client(client(["a/x"], a=at(llm))) as models:
            with pytest.raises(NoModel) as caught:
                await models.speak("a/tts", Utterance("Good morning.", "alloy"), 10)

    assert {error for _, error in failures(caught.value)} == {"Empty"}


# Who hears where nobody said it


def catalog(**providers: Any) -> Catalog:
    return Catalog.of({n: ProviderSettings.model_validate(t) for n, t in providers.items()})


def test_known_providers_hear_by_their_own_models() -> None:
    models = ModelClient(catalog(openai={"api_key": "x"}, anthropic={"api_key": "x"}, groq={"api_key": "x"}))

    routes = models.resolve("transcription").routes

    assert routes == (Route("openai", "whisper-1"), Route("groq", "whisper-large-v3-turbo"))
    assert all(route not in models.resolve("reasoning").routes for route in routes)
    assert not any("whisper" in name for name in models.choices())


def test_a_provider_by_its_name_means_its_model_that_hears() -> None:
    providers = {"groq": ProviderSettings.model_validate({"api_key": "x"})}
    models = ModelClient(Catalog.of(providers, roles={"transcription": "groq"}))

    assert models.resolve("transcription").routes == (Route("groq", "whisper-large-v3-turbo"),)
    assert models.resolve("groq").routes == (Route("groq", "openai/gpt-oss-120b"),)


async def test_where_nobody_hears_that_is_said() -> None:
    models = scripted_client({})

    found = models.resolve("transcription")

    assert found.routes == ()
    assert "no provider here is known to write speech down" in found.steps[0]
    with pytest.raises(NoModel):
        await models.transcribe(NOTE, 10)
