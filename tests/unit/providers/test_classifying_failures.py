"""What servers say of a failure, and the class that it means. Bodies are literal wire texts where vendors
publish them.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from providers import errors, failures
from providers.errors import ProviderError

NOW = 1_800_000_000.0
HTML = "<!doctype html><html><body>Bad gateway</body></html>"


def openai(message: str, type_: str = "invalid_request_error", code: object = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


def openrouter(code: int, message: str, **metadata: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "metadata": metadata}}


def anthropic(kind: str, message: str, **details: Any) -> dict[str, Any]:
    return {
        "type": "error",
        "error": {"type": kind, "message": message, "details": details},
        "request_id": "r",
    }


CASES: list[tuple[int, object, type[ProviderError]]] = [
    # Wait
    (429, openai("Rate limit reached for gpt", "requests", "rate_limit_exceeded"), errors.RateLimited),
    (429, {}, errors.RateLimited),
    (429, anthropic("rate_limit_error", "slow down"), errors.RateLimited),
    (429, {"error": {"code": "1302", "message": "concurrency"}}, errors.RateLimited),
    (402, openrouter(402, "in flight", limit_source="openrouter_in_flight_budget"), errors.RateLimited),
    (402, openrouter(402, "in flight", error_type="in_flight_budget_exhausted"), errors.RateLimited),
    (413, openai("tokens per minute (TPM): Limit 8000, Requested 8098", "tokens"), errors.RateLimited),
    (
        429,
        [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded"}}],
        errors.RateLimited,
    ),
    # Pay
    (
        429,
        openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        errors.OutOfMoney,
    ),
    (429, openai("x", "y", "credit_balance_exhausted"), errors.OutOfMoney),
    (
        429,
        anthropic("rate_limit_error", "spend", error_code="enforced_spend_limit_reached"),
        errors.OutOfMoney,
    ),
    (400, anthropic("invalid_request_error", "Your credit balance is too low to access"), errors.OutOfMoney),
    (
        400,
        anthropic("invalid_request_error", "You have reached your specified API usage limits."),
        errors.OutOfMoney,
    ),
    (402, openrouter(402, "Insufficient credits"), errors.OutOfMoney),
    (402, {"error": {"message": "Insufficient Balance"}}, errors.OutOfMoney),
    (403, openrouter(403, "Key limit exceeded", limit_source="openrouter_key_limit"), errors.OutOfMoney),
    (403, {"code": "personal-team-blocked:spending-limit", "error": "limit"}, errors.OutOfMoney),
    (429, {"error": {"code": "1113", "message": "balance"}}, errors.OutOfMoney),
    # The key
    (401, openrouter(401, "Missing Authentication header"), errors.Denied),
    (401, b"", errors.Denied),
    (403, {"message": "forbidden"}, errors.Denied),
    (
        400,
        [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}],
        errors.Denied,
    ),
    (400, {"error": "Incorrect API key provided: xai-..."}, errors.Denied),
    # The model
    (404, openai("The model `x` does not exist", code="model_not_found"), errors.UnknownModel),
    (
        404,
        {"error": {"message": 'model "x" not found, try pulling it first', "type": "api_error"}},
        errors.UnknownModel,
    ),
    (400, {"error": {"code": 400, "message": "model 'x' not found", "type": "x"}}, errors.UnknownModel),
    (404, openrouter(404, "No endpoints found for x"), errors.UnknownModel),
    (404, openrouter(404, "gone", error_type="free_variant_ended"), errors.UnknownModel),
    (404, openrouter(404, "No endpoints found matching your data policy"), errors.Withheld),
    (
        429,
        [
            {
                "error": {
                    "code": 429,
                    "status": "RESOURCE_EXHAUSTED",
                    "message": "quota, limit: 0. Please retry in 55s",
                }
            }
        ],
        errors.Withheld,
    ),
    # Tools
    (404, openrouter(404, "No endpoints found that support tool use"), errors.NoToolSupport),
    (
        400,
        {"error": {"message": "registry.ollama.ai/library/x does not support tools"}},
        errors.NoToolSupport,
    ),
    (500, {"error": {"code": 500, "message": "tools param requires --jinja flag"}}, errors.NoToolSupport),
    (400, openai('"auto" tool choice requires --enable-auto-tool-choice and'), errors.NoToolSupport),
    # The window
    (
        400,
        openai("This model's maximum context length is 8192 tokens. You", code="context_length_exceeded"),
        errors.TooLong,
    ),
    (
        400,
        anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        errors.TooLong,
    ),
    (400, openai("Please reduce the length of the messages or completion"), errors.TooLong),
    (
        400,
        {"error": {"message": "maximum prompt length is 131072 but the request contains 2"}},
        errors.TooLong,
    ),
    (413, anthropic("request_too_large", "Request exceeds the maximum size"), errors.TooLong),
    (200, {"error": "greater than the context length"}, errors.TooLong),
    # Our request
    (400, openai("Invalid value for messages"), errors.BadRequest),
    (
        422,
        {"detail": [{"loc": ["body", "x"], "msg": "field required", "type": "missing"}]},
        errors.BadRequest,
    ),
    (400, openai("too long a string", code="string_above_max_length"), errors.BadRequest),
    (
        400,
        openai("Unsupported parameter: 'max_tokens' is not supported with this model."),
        errors.UnknownParameter,
    ),
    (500, openai("Unknown parameter: 'foo'."), errors.UnknownParameter),
    (
        422,
        {"detail": [{"msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]},
        errors.UnknownParameter,
    ),
    # Policy
    (403, openrouter(403, "Your input was flagged", reasons=["x"]), errors.Refused),
    (400, openai("blocked", code="content_policy_violation"), errors.Refused),
    # Busy
    (529, anthropic("overloaded_error", "Overloaded"), errors.Overloaded),
    (200, anthropic("overloaded_error", "Overloaded"), errors.Overloaded),
    (503, openai("overloaded", "server_error", "server_is_overloaded"), errors.Overloaded),
    (429, openai("slow", "requests", "slow_down"), errors.Overloaded),
    (429, {"error": {"code": "1305", "message": "overloaded"}}, errors.Overloaded),
    (
        429,
        {"object": "error", "message": "Service tier capacity exceeded for this model."},
        errors.Overloaded,
    ),
    (503, {"error": "server busy, please try again. maximum pending requests exceeded"}, errors.Overloaded),
    (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, errors.Loading),
    # The server
    (500, {"error": {"message": "x"}}, errors.ServerError),
    (502, HTML.encode(), errors.ServerError),
    (200, HTML.encode(), errors.ServerError),
    (408, {}, errors.ServerError),
    (524, b"", errors.ServerError),
    (418, {"error": "teapot"}, errors.ServerError),
    (200, openrouter(502, "Provider returned error"), errors.ServerError),
    (
        200,
        openrouter(429, "Provider returned error", raw="x is temporarily rate-limited upstream"),
        errors.RateLimited,
    ),
    (
        200,
        {"choices": [{"finish_reason": "error", "error": {"code": 429, "message": "m"}}]},
        errors.RateLimited,
    ),
    (200, {"error": "something broke"}, errors.ServerError),
    (400, openai("Failed to generate", code="tool_use_failed"), errors.Malformed),
    # The address
    (404, HTML.encode(), errors.Misconfigured),
    (404, b"", errors.Misconfigured),
    (404, {"detail": "Not Found"}, errors.Misconfigured),
    (404, b"404 page not found", errors.Misconfigured),
    (
        404,
        {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}},
        errors.Misconfigured,
    ),
    (405, b"", errors.Misconfigured),
]


def classify(status: int, body: object, **headers: str) -> ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failures.classify(status, httpx.Headers(headers), raw, NOW)


@pytest.mark.parametrize(("status", "body", "expected"), CASES, ids=lambda value: str(value)[:60])
def test_a_failure_has_its_class(status: int, body: object, expected: type[ProviderError]) -> None:
    error = classify(status, body)

    assert type(error) is expected
    assert "\n" not in error.detail
    assert len(error.detail) <= 200


def test_every_failure_of_the_pool_of_free_models_is_the_accounts() -> None:
    by_code = classify(429, openrouter(429, "limit", limit_source="openrouter_free_tier_daily"))
    by_words = classify(429, openrouter(429, "Rate limit exceeded: free-models-per-min."))
    of_one = classify(429, openrouter(429, "Provider returned error"))

    assert (by_code.scope, by_words.scope, of_one.scope) == ("account", "account", "model")


def test_the_wait_is_taken_from_headers_before_the_body() -> None:
    body = openrouter(429, "Provider returned error", retry_after_seconds=17)

    assert classify(429, body, **{"retry-after": "5"}).retry_after == 5
    assert classify(429, body).retry_after == 17
    assert classify(503, openai("busy"), **{"retry-after": "3600"}).retry_after == 3600


@pytest.mark.parametrize(
    ("body", "window"),
    [
        (
            {
                "error": {
                    "code": 400,
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 9000,
                    "n_ctx": 4096,
                }
            },
            4096,
        ),
        (openai("This model's maximum context length is 8192 tokens. However"), 8192),
        (anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), 200_000),
        (openai("Please reduce the length of the messages"), None),
    ],
)
def test_the_window_is_learned_where_it_is_told(body: object, window: int | None) -> None:
    error = classify(400, body)

    assert isinstance(error, errors.TooLong)
    assert error.window == window


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (openai("Unsupported parameter: 'max_tokens' is not supported with this model."), "max_tokens"),
        (openai("Unsupported value: 'temperature' does not support 0.7 with this model."), "temperature"),
        (
            {"error": {"message": "x", "code": "unsupported_parameter", "param": "stream_options"}},
            "stream_options",
        ),
        (openai("Unrecognized request argument supplied: stream_options"), "stream_options"),
    ],
)
def test_the_refused_parameter_is_named(body: object, parameter: str) -> None:
    error = classify(400, body)

    assert isinstance(error, errors.UnknownParameter)
    assert error.parameter == parameter


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefghijklmnop1234",
        "bad sk-or-v1-0123456789abcdef0123456789abcdef",
        "Authorization: Bearer abc.def.ghi",
        "key AIzaSyA-0123456789abcdefghijk is blocked",
        "gsk_0123456789abcdefghij",
    ],
)
def test_a_detail_never_shows_a_key(text: str) -> None:
    detail = classify(401, {"error": {"message": text}}).detail

    assert "…" in detail
    assert not any(secret in detail for secret in ("abcdefgh", "0123456789", "abc.def"))


def test_a_detail_is_one_short_line() -> None:
    detail = classify(500, {"error": {"message": "first\nsecond\x00\u2028" + "x" * 5000}}).detail

    assert detail.startswith("first second x")
    assert len(detail) == 200
