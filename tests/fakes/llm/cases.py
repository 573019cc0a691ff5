"""Forty ways in which a provider fails, numbered as the project's table of fault cases has them, and some more.

`async with playing(cases()[12]) as llm:` is the provider of case 12. What must happen then is for the tests to say.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.fakes.llm import errors
from tests.fakes.llm.peers import Setup
from tests.fakes.llm.replies import ALL_DELTAS, CallStyle, Fault, Framing, Json, Pace, Reply, ToolCall
from tests.fakes.llm.server import LLMFake

OPENROUTER = Setup(kind="openrouter", models=("vendor/model:free", "vendor/paid"), prefix="/api/v1")
LLAMA = Setup(kind="llama-server", n_ctx=4096)
ANSWER = "The quick brown fox jumps over the lazy dog, daß Größe zählt: 🦊."
"""A text of the cases that end well, with characters of up to four bytes."""


@dataclass(frozen=True)
class Case:
    """One provider that fails. After `replies` the last one stays if `forever`, else the server is healthy."""

    number: int
    title: str
    replies: tuple[Reply, ...] = ()
    forever: bool = True
    setup: Setup = field(default_factory=Setup)
    server: Literal["up", "down", "untrusted", "loading"] = "up"
    seconds: float = 0.0
    """How long it loads."""


@asynccontextmanager
async def playing(case: Case) -> AsyncIterator[LLMFake]:
    """The server of this case. Where it is down, it has a port all the same, and `up` brings it there."""
    tls = untrusted() if case.server == "untrusted" else None
    async with LLMFake(*case.replies, setup=case.setup, tls=tls) as llm:
        if case.replies and case.forever:
            llm.default = case.replies[-1]
        if case.server == "loading":
            llm.load_for(case.seconds)
        elif case.server == "down":
            await llm.down()
        yield llm


def untrusted() -> ssl.SSLContext:
    """A server's TLS with a certificate that no client has reason to trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("untrusted.pem"))
    return context


def cases(second: float = 1.0, now: float | None = None) -> dict[int, Case]:
    """All forty. `second` scales what the server waits (not what its headers say); `now` is seconds since the epoch."""
    now = time.time() if now is None else now
    groups = (
        _network(),
        _broken(),
        _limits(now),
        _accounts(now),
        _requests(),
        _streams(second),
        _local(second),
    )
    found = {case.number: case for group in groups for case in group}
    return dict(sorted(found.items()))


def _error(number: int, title: str, reply: Reply, setup: Setup | None = None) -> Case:
    return Case(number, title, (reply,), setup=setup or Setup())


def _network() -> Iterator[Case]:
    yield Case(1, "connection refused", server="down")
    yield Case(2, "accepts and never answers", (Reply.broken("hang"),))
    yield Case(3, "certificate that can't be verified", server="untrusted")


def _broken() -> Iterator[Case]:
    failure = Reply.error(500, {"error": {"message": "x"}})
    yield Case(4, "500 once", (failure,), forever=False)
    yield Case(5, "500 forever", (failure,))
    yield Case(6, "502 with HTML", (Reply.html(502, "Bad gateway"),))
    busy = errors.openai("Service Unavailable")
    yield Case(7, "503 with a short wait", (Reply.error(503, busy, retry_after="2"),), forever=False)
    yield Case(8, "503 with a long wait", (Reply.error(503, busy, retry_after="3600"),))
    yield Case(9, "529 overloaded", (Reply.error(529, errors.anthropic("overloaded_error", "Overloaded")),))


def _limits(now: float) -> Iterator[Case]:
    limited = errors.openai("Rate limit reached", "requests", "rate_limit_exceeded")
    yield _error(10, "429, wait in milliseconds", Reply.error(429, limited, retry_after_ms="1500"))
    go_like = {"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}
    yield _error(11, "429, reset as a Go duration", Reply.error(429, limited, **go_like))
    reset = {
        "X-RateLimit-Limit": "50",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int((now + 7200) * 1000)),
    }
    text = (
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
    )
    daily = errors.openrouter(429, text, headers=reset, limit_source="openrouter_free_tier_daily")
    yield _error(
        12, "429, the account's free calls of the day are used", Reply.error(429, daily, **reset), OPENROUTER
    )
    upstream = errors.openrouter(
        429,
        "Provider returned error",
        provider_name="Venice",
        raw="vendor/model is temporarily rate-limited upstream",
        retry_after_seconds=17,
        headers={"Retry-After": "17"},
    )
    yield _error(13, "429 of one upstream", Reply.error(429, upstream), OPENROUTER)
    google = errors.google(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota. Quota exceeded for metric: free_tier_requests, limit: 0. "
        "Please retry in 55.57s.",
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "55s"},
    )
    yield _error(16, "429 in a list: not in the free tier at all", Reply.error(429, google))
    busy = errors.zhipu("1305", "The service may be temporarily overloaded, please try again later")
    yield _error(17, "429 that means overload", Reply.error(429, busy))
    flight = errors.openrouter(
        402,
        "In-flight budget exhausted",
        error_type="in_flight_budget_exhausted",
        limit_source="openrouter_in_flight_budget",
    )
    yield Case(
        19, "402 that passes", (Reply.error(402, flight, retry_after="3"),), forever=False, setup=OPENROUTER
    )
    tokens = "Request too large for model on tokens per minute (TPM): Limit 8000, Requested 8098"
    too_large = errors.openai(tokens, "tokens", "rate_limit_exceeded")
    yield _error(28, "413 for tokens per minute", Reply.error(413, too_large))


def _accounts(now: float) -> Iterator[Case]:
    quota = "You exceeded your current quota, please check your plan and billing details."
    poor = errors.openai(quota, "insufficient_quota", "credit_balance_exhausted")
    yield _error(14, "429 that means money", Reply.error(429, poor))
    spent = errors.anthropic(
        "rate_limit_error", "You have reached your spend limit.", error_code="enforced_spend_limit_reached"
    )
    yield _error(15, "429, spend limit without a wait", Reply.error(429, spent))
    wrong = errors.openai("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
    yield _error(18, "401", Reply.error(401, wrong))
    empty = errors.openrouter(402, "Insufficient credits. Add more.", limit_source="openrouter_credits")
    yield _error(20, "402", Reply.error(402, empty), OPENROUTER)
    flagged = errors.openrouter(403, "Your input was flagged", reasons=["violence"], flagged_input="...")
    yield _error(21, "403, moderation", Reply.error(403, flagged), OPENROUTER)
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 86_400))
    key = errors.openrouter(403, "Key limit exceeded", limit_source="openrouter_key_limit", resets_at=until)
    yield _error(22, "403, the key's own limit", Reply.error(403, key), OPENROUTER)


def _requests() -> Iterator[Case]:
    ended = {"code": "free_variant_ended", "retryable": False, "fallback_models": ["vendor/model"]}
    gone = errors.openrouter(404, "The free variant has ended", beside={"availability": ended})
    yield _error(23, "404, the free variant ended", Reply.error(404, gone), OPENROUTER)
    no_tools = "No endpoints found that support tool use. Try disabling tools."
    private = (
        "No endpoints found matching your data policy. Configure: https://openrouter.ai/settings/privacy"
    )
    for number, title, text in (
        (24, "404, no tools there", no_tools),
        (25, "404, privacy settings", private),
    ):
        yield _error(number, title, Reply.error(404, errors.openrouter(404, text)), OPENROUTER)
    long = "This model's maximum context length is 128000 tokens. Your messages resulted in 131072 tokens."
    overflow = errors.openai(long, "invalid_request_error", "context_length_exceeded")
    yield _error(26, "400, too long", Reply.error(400, overflow))
    llama = errors.llama(
        400,
        "exceed_context_size_error",
        "request (5012 tokens) exceeds the available context size (4096 tokens), try increasing it",
        n_prompt_tokens=5012,
        n_ctx=4096,
    )
    yield _error(27, "400, too long, with the window", Reply.error(400, llama), LLAMA)
    parameter = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
    )
    unsupported = errors.openai(parameter, "invalid_request_error", "unsupported_parameter")
    yield Case(29, "400, a parameter", (Reply.error(400, unsupported),), forever=False)
    yield _error(
        30, "200 with an error", Reply.error(200, {"error": {"code": 502, "message": "Bad gateway"}})
    )
    yield _error(31, "200 with nothing in it", Reply(choices=False))


def _streams(second: float) -> Iterator[Case]:
    waiting = Pace(heartbeats=120, every=5 * second)
    yield _error(32, "comments for ten minutes", Reply(pace=waiting, fault=Fault("hang", 0)), OPENROUTER)
    slow = Pace(heartbeats=8, every=5 * second)
    yield _error(33, "comments for 40 s, then the answer", Reply(ANSWER, pace=slow), OPENROUTER)
    yield _error(34, "error in the first event", _in_band(0, errors.chunk(429, "Rate limited")), OPENROUTER)
    yield _error(35, "error after 20 deltas", _in_band(20, errors.chunk(502, "Upstream died")), OPENROUTER)
    yield _error(36, "the stream is cut", Reply(ANSWER, fault=Fault("close", ALL_DELTAS)))
    yield _error(37, "the stream falls silent", Reply(ANSWER, fault=Fault("hang", 2)))
    odd = Framing(newline="\r\n", space=False, cut=5, malformed_at=2)
    yield _error(38, "odd framing and one broken line", Reply(ANSWER, framing=odd))


def _in_band(after: int, body: Json) -> Reply:
    return Reply(ANSWER, pace=Pace(chunks=30), fault=Fault("error", after, body))


def _local(second: float) -> Iterator[Case]:
    yield Case(39, "loading its model for 8 s", setup=LLAMA, server="loading", seconds=8 * second)
    yield Case(40, "down for a minute, then ten calls at once", server="down")


def more() -> dict[str, Reply]:
    """What else servers do, by a name."""
    clock = (ToolCall("clock", {"timezone": "Europe/Rome"}),)
    two = (*clock, ToolCall("files_read", {"path": "notes/today.md"}))
    overflow = errors.openai("The number of tokens to keep is greater than the context length")
    return {
        "json for a stream": Reply(ANSWER, framing=Framing(answer="json")),
        "empty text": Reply(""),
        "null text": Reply(None),
        "null text beside a call": Reply(None, clock),
        "call in one chunk": Reply(None, clock, calls_as=CallStyle(fragments=0)),
        "call without index": Reply(None, two, calls_as=CallStyle(index=False)),
        "call with its head repeated": Reply(None, two, calls_as=CallStyle(repeat_head=True)),
        "call with empty names": Reply(None, two, calls_as=CallStyle(empty_name=True)),
        "call with an object": Reply(None, two, calls_as=CallStyle(as_object=True)),
        "calls by turns": Reply(None, two, calls_as=CallStyle(interleaved=True)),
        "calls with one id": Reply(None, two, calls_as=CallStyle(same_id=True)),
        "call that ends with stop": Reply(None, clock, finish="stop"),
        "call without arguments": Reply.tool("clock", ""),
        "call as text": Reply('<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>'),
        "call cut by length": Reply.length("files_read", '{"path": "no'),
        "call cut with the stream": Reply.cut_arguments("files_read", {"path": "notes/today.md"}, "close"),
        "call cut, body ended": Reply.cut_arguments("files_read", {"path": "notes/today.md"}, "end"),
        "reasoning": Reply(ANSWER, reasoning="Let me see."),
        "reasoning, other field": Reply(ANSWER, reasoning="Let me see.", reasoning_as="reasoning"),
        "reasoning details": Reply(ANSWER, reasoning="Let me see.", reasoning_as="reasoning_details"),
        "reasoning inline": Reply.thinking("Let me see.", ANSWER),
        "reasoning inline, unopened": Reply.thinking("Let me see.", ANSWER, opening=False),
        "no usage": Reply(ANSWER, usage=False),
        "no end mark": Reply(ANSWER, framing=Framing(done=False)),
        "several data lines": Reply(ANSWER, framing=Framing(lines=True)),
        "gzip": Reply(ANSWER, framing=Framing(gzip=True)),
        "byte by byte": Reply(ANSWER, framing=Framing(cut=1)),
        "redirect to a login page": Reply.redirect(),
        "html with 200": Reply.html(),
        "reset before the status line": Reply.broken("reset"),
        "closed before the status line": Reply.broken("close"),
        "silent after the head": Reply.broken("hang", 0),
        "reset inside the stream": Reply(ANSWER, fault=Fault("reset", 2)),
        "body ended inside the stream": Reply(ANSWER, fault=Fault("end", 2)),
        "named error event": Reply(ANSWER, fault=Fault("error", 0, overflow, event="error")),
        "error object of old": _in_band(2, errors.object_error("engine died", "InternalServerError", 500)),
        "error as text": _in_band(2, errors.text("engine died")),
        "connection closed afterwards": Reply(ANSWER, close_after=True),
        "model length": Reply(ANSWER, finish="model_length"),
    }
