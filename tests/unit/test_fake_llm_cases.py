"""Each of the forty fault cases reaches a plain client the way its row in the table describes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.fakes.llm.cases import ANSWER, cases, more, playing
from tests.fakes.llm.server import LLMFake
from tests.unit.llm_reader import STREAM, Seen, ask

NOW = 1_790_000_000.0
ALL = cases(second=0.001, now=NOW) | {39: cases()[39]}
SILENT = (2, 32, 37)
"""The cases that only the client's patience ends."""


def refused(status: int, *texts: str, **headers: str) -> Callable[[Seen], bool]:
    """An HTTP error whose body holds these texts and whose head these headers."""

    def matches(seen: Seen) -> bool:
        found = all(text in seen.body.decode() for text in texts)
        right = all(seen.headers.get(name.replace("_", "-")) == value for name, value in headers.items())
        return seen.status == status and found and right

    return matches


def failed(name: str, text: str | None = None) -> Callable[[Seen], bool]:
    return lambda seen: seen.failure == name and (text is None or seen.text == text)


def answered(seen: Seen) -> bool:
    return (seen.text, seen.finish, seen.done, seen.failure) == (ANSWER, "stop", True, "")


SEEN: dict[int, Callable[[Seen], bool]] = {
    1: failed("ConnectError"),
    2: failed("ReadTimeout"),
    3: failed("ConnectError"),
    4: refused(500, '{"error":{"message":"x"}}'),
    5: refused(500),
    6: refused(502, "<html>"),
    7: refused(503, retry_after="2"),
    8: refused(503, retry_after="3600"),
    9: refused(529, "overloaded_error"),
    10: refused(429, retry_after_ms="1500"),
    11: refused(429, x_ratelimit_reset_requests="6m0s", x_ratelimit_remaining_requests="0"),
    12: refused(429, "openrouter_free_tier_daily", x_ratelimit_reset="1790007200000"),
    13: refused(429, "Provider returned error", '"retry_after_seconds":17'),
    14: refused(429, "insufficient_quota", "credit_balance_exhausted"),
    15: refused(429, "enforced_spend_limit_reached"),
    16: lambda seen: isinstance(seen.json, list) and "limit: 0" in seen.json[0]["error"]["message"],
    17: refused(429, '"code":"1305"'),
    18: refused(401),
    19: refused(402, "in_flight_budget_exhausted", retry_after="3"),
    20: refused(402, "Insufficient credits"),
    21: refused(403, '"reasons":["violence"]'),
    22: refused(403, "openrouter_key_limit", '"resets_at":"2026-09-22T'),
    23: refused(404, "free_variant_ended", "fallback_models"),
    24: refused(404, "support tool use"),
    25: refused(404, "data policy"),
    26: refused(400, "context_length_exceeded"),
    27: refused(400, "exceed_context_size_error", '"n_ctx":4096'),
    28: refused(413, "Limit 8000, Requested 8098"),
    29: refused(400, "Unsupported parameter: 'max_tokens'"),
    30: refused(200, '"error"', "502"),
    31: lambda seen: seen.status == 200 and seen.events != [] and seen.deltas == [],
    32: lambda seen: seen.failure == "ReadTimeout" and seen.comments == 120 and seen.events == [],
    33: lambda seen: seen.comments == 8 and answered(seen),
    34: lambda seen: len(seen.events) == 1 and seen.errors[0]["code"] == 429,
    35: lambda seen: (
        len(seen.deltas) == 22 and seen.errors[0]["code"] == 502 and ANSWER.startswith(seen.text)
    ),
    36: failed("RemoteProtocolError", ANSWER),
    37: lambda seen: seen.failure == "ReadTimeout" and bool(seen.text) and ANSWER.startswith(seen.text),
    38: lambda seen: (
        seen.unreadable == 1 and b"\r\n" in seen.body and b"data:{" in seen.body and answered(seen)
    ),
    39: refused(503, "Loading model"),
    40: failed("ConnectError"),
}


def test_all_forty_are_there() -> None:
    assert list(ALL) == list(range(1, 41)) == list(SEEN)


async def put(number: int, llm: LLMFake) -> Seen:
    return await ask(llm, STREAM | {"model": llm.setup.models[0]}, timeout=0.2 if number in SILENT else 5.0)


@pytest.mark.parametrize("number", list(SEEN))
async def test_a_client_sees_the_fault(number: int) -> None:
    async with playing(ALL[number]) as llm:
        seen = await put(number, llm)

    assert SEEN[number](seen), f"{ALL[number].title}: {seen}"


@pytest.mark.parametrize("number", [n for n, case in ALL.items() if case.server == "up"])
async def test_a_fault_stays_or_passes_as_it_should(number: int) -> None:
    async with playing(ALL[number]) as llm:
        await put(number, llm)
        again = await put(number, llm)

    assert SEEN[number](again) if ALL[number].forever else again.text == "You said: Hello?"


async def test_a_server_that_was_loading_becomes_ready() -> None:
    async with playing(ALL[39]) as llm:
        assert (await ask(llm)).status == 503
        llm.load_for(0.01)
        await asyncio.sleep(0.02)

        assert (await ask(llm)).text == "You said: Hello?"


async def test_a_server_that_was_down_takes_many_calls_when_it_is_back() -> None:
    async with playing(ALL[40]) as llm:
        assert (await ask(llm)).failure == "ConnectError"
        await llm.up()
        texts = [seen.text for seen in await asyncio.gather(*(ask(llm) for _ in range(10)))]

    assert texts == ["You said: Hello?"] * 10


def arguments(seen: Seen) -> str:
    return "".join(call["function"].get("arguments", "") for call in seen.calls)


MORE: dict[str, Callable[[Seen], bool]] = {
    "json for a stream": lambda seen: seen.json["choices"][0]["message"]["content"] == ANSWER,
    "empty text": lambda seen: (seen.text, seen.finish, seen.done) == ("", "stop", True),
    "null text": lambda seen: seen.deltas[0]["content"] is None and seen.text == "",
    "null text beside a call": lambda seen: seen.finish == "tool_calls" and seen.deltas[0]["content"] is None,
    "call in one chunk": lambda seen: len(seen.calls) == 1 and bool(json.loads(arguments(seen))),
    "call without index": lambda seen: not any("index" in call for call in seen.calls),
    "call with its head repeated": lambda seen: all(call["function"]["name"] for call in seen.calls),
    "call with empty names": lambda seen: (
        [call["function"]["name"] for call in seen.calls][:2] == ["clock", ""]
    ),
    "call with an object": lambda seen: isinstance(seen.calls[0]["function"]["arguments"], dict),
    "calls by turns": lambda seen: [call["index"] for call in seen.calls[:4]] == [0, 1, 0, 1],
    "calls with one id": lambda seen: len({call["id"] for call in seen.calls if "id" in call}) == 1,
    "call that ends with stop": lambda seen: bool(seen.calls) and seen.finish == "stop",
    "call without arguments": lambda seen: len(seen.calls) == 1 and arguments(seen) == "",
    "call as text": lambda seen: seen.text.startswith("<tool_call>") and seen.finish == "stop",
    "call cut by length": lambda seen: arguments(seen) == '{"path": "no' and seen.finish == "length",
    "call cut with the stream": lambda seen: (
        0 < len(arguments(seen)) < 25 and seen.failure == "RemoteProtocolError" and seen.finish is None
    ),
    "call cut, body ended": lambda seen: (
        0 < len(arguments(seen)) < 25 and not seen.failure and seen.finish is None
    ),
    "reasoning": lambda seen: "reasoning_content" in seen.deltas[1] and answered(seen),
    "reasoning, other field": lambda seen: "reasoning" in seen.deltas[1] and answered(seen),
    "reasoning details": lambda seen: "reasoning_details" in seen.deltas[1] and answered(seen),
    "reasoning inline": lambda seen: seen.text == f"<think>Let me see.</think>{ANSWER}",
    "reasoning inline, unopened": lambda seen: seen.text == f"Let me see.</think>{ANSWER}",
    "no usage": lambda seen: not any(event.get("usage") for event in seen.events) and answered(seen),
    "no end mark": lambda seen: (seen.text, seen.finish, seen.done) == (ANSWER, "stop", False),
    "several data lines": lambda seen: b'\ndata: "object"' in seen.body and answered(seen),
    "gzip": lambda seen: seen.headers["content-encoding"] == "gzip" and answered(seen),
    "byte by byte": answered,
    "redirect to a login page": lambda seen: (seen.status, seen.headers["location"]) == (302, "/login"),
    "html with 200": lambda seen: seen.status == 200 and "text/html" in seen.headers["content-type"],
    "reset before the status line": failed("ReadError"),
    "closed before the status line": failed("RemoteProtocolError"),
    "silent after the head": lambda seen: (seen.status, seen.failure) == (200, "ReadTimeout"),
    "reset inside the stream": lambda seen: bool(seen.text) and seen.failure == "ReadError",
    "body ended inside the stream": lambda seen: bool(seen.text) and not seen.failure and not seen.finish,
    "named error event": lambda seen: b"event: error\n" in seen.body and len(seen.errors) == 1,
    "error object of old": lambda seen: seen.events[-1]["object"] == "error",
    "error as text": lambda seen: seen.errors == ["engine died"],
    "connection closed afterwards": answered,
    "model length": lambda seen: seen.finish == "model_length",
}


def test_all_others_are_there() -> None:
    assert list(MORE) == list(more())


@pytest.mark.parametrize("name", list(MORE))
async def test_a_client_sees_the_oddity(name: str) -> None:
    async with LLMFake(more()[name]) as llm:
        options = STREAM | {"stream_options": {"include_usage": True}}
        seen = await ask(llm, options, timeout=0.2 if name == "silent after the head" else 5.0)

    assert MORE[name](seen), seen
