"""The same status with opposite meanings, overflow in every vendor's words, parameters refused, and caps on money.

Texts are those of the vendors' servers, documentation and SDKs.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from providers import errors, failures, waits
from providers.errors import ProviderError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
UNTIL_DECEMBER = datetime(2026, 12, 1, tzinfo=UTC).timestamp() - NOW


def classify(status: int, body: object, **headers: str) -> ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return failures.classify(status, httpx.Headers(sent), raw, NOW)


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


# The same status, opposite treatment

TRAPS: list[tuple[int, object, type[ProviderError]]] = [
    (400, said("You have reached your specified API usage limits."), errors.OutOfMoney),
    (400, said("Your credit balance is too low to access the API."), errors.OutOfMoney),
    (400, said("messages: at least one message is required"), errors.BadRequest),
    (400, said("model 'x' not found", code=400), errors.UnknownModel),
    (400, said("x", availability={"code": "model_not_found"}), errors.UnknownModel),
    (400, said("x", availability={"code": "wrong_endpoint"}), errors.Misconfigured),
    (402, said("x", metadata={"error_type": "in_flight_budget_exhausted"}), errors.RateLimited),
    (402, said("Insufficient credits", metadata={"limit_source": "openrouter_credits"}), errors.OutOfMoney),
    (402, said("Prepayment credits are depleted"), errors.OutOfMoney),
    (403, said("Key limit exceeded (total limit)"), errors.OutOfMoney),
    (403, said("x", metadata={"limit_source": "openrouter_workspace_budget"}), errors.OutOfMoney),
    (403, said("x", metadata={"limit_source": "openrouter_guardrail_budget"}), errors.OutOfMoney),
    (403, said("requires moderation", metadata={"reasons": ["violence"]}), errors.Refused),
    (403, said("x", availability={"code": "region_restricted"}), errors.Withheld),
    (403, {"error": "this model requires a subscription"}, errors.Withheld),
    (403, said("Your API key has no access"), errors.Denied),
    (404, said("No endpoints found that support tool use. Try disabling tools"), errors.NoToolSupport),
    (404, said("No endpoints found", availability={"code": "no_endpoints"}), errors.UnknownModel),
    (
        404,
        said("No endpoints found that support tool use", availability={"code": "no_endpoints"}),
        errors.NoToolSupport,
    ),
    (404, said("No endpoints found matching your data policy (Free model training)"), errors.Withheld),
    (404, said("No endpoints found that support image input"), errors.NoImageSupport),
    (404, said("gone", metadata={"error_type": "free_variant_ended"}), errors.UnknownModel),
    (404, b"<html>404</html>", errors.Misconfigured),
    (409, said("conflict"), errors.ServerError),
    (413, said("Request too large for model on tokens per minute (TPM): Limit 8000"), errors.RateLimited),
    (413, said("too large"), errors.TooLong),
    (425, b"", errors.ServerError),
    (429, said("Rate limit reached"), errors.RateLimited),
    (429, said("x", type="insufficient_quota"), errors.OutOfMoney),
    (429, said("quota exceeded, limit: 0, model: gemini-x. Please retry in 5s"), errors.Withheld),
    (429, said("The engine is currently overloaded"), errors.Overloaded),
    (498, b"", errors.Overloaded),
    (499, b"", errors.ServerError),
    (500, said("Unsupported parameter: 'logprobs'"), errors.UnknownParameter),
    (502, said("unknown parameter: `top_k`"), errors.UnknownParameter),
    (503, said("Loading model"), errors.Loading),
    (522, b"", errors.ServerError),
    (529, b"", errors.Overloaded),
    # A model that takes no images says so in any of these ways
    (
        500,
        said("image input is not supported - hint: you may need to provide the mmproj"),
        errors.NoImageSupport,
    ),
    (400, said("fake-1 is not a multimodal model"), errors.NoImageSupport),
    (400, said("unknown variant `image_url`, expected `text`"), errors.NoImageSupport),
    (
        400,
        said("Invalid content type. image_url is only supported by certain models."),
        errors.NoImageSupport,
    ),
    (400, said("At most 0 image(s) may be provided in one prompt."), errors.NoImageSupport),
    # Thinking that was given back
    (400, said("messages.1.content.0: Invalid `signature` in `thinking` block"), errors.BadThoughts),
    (
        400,
        said("`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."),
        errors.BadThoughts,
    ),
    (400, said("Expected `thinking` or `redacted_thinking`, but found `tool_use`."), errors.BadThoughts),
    (400, said("Thought signature is not valid", status="INVALID_ARGUMENT"), errors.BadThoughts),
]


@pytest.mark.parametrize(("status", "body", "expected"), TRAPS, ids=lambda value: str(value)[:50])
def test_the_status_alone_decides_nothing(status: int, body: object, expected: type[ProviderError]) -> None:
    assert type(classify(status, body)) is expected


# The window

OVERFLOWS = [
    said("x", code="context_length_exceeded"),
    said("x", metadata={"error_type": "context_length_exceeded"}),
    said("x", type="exceed_context_size_error", n_ctx=4096),
    said("This endpoint's maximum context length is 8192 tokens."),
    said("prompt is too long: 210000 tokens > 200000 maximum"),
    said("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
    said("The input token count (9) exceeds the maximum number of tokens allowed (8)."),
    said("This model's maximum prompt length is 131072 but the request contains 140000 tokens."),
    said("Please reduce the length of the messages or completion."),
    said("Prompt contains 9 tokens, too large for model with 8 maximum context length"),
    said("tokens in request more than max tokens allowed", code="1261"),
    said("Prompt exceeds max length", code="1210"),
    said("`inputs` tokens + `max_new_tokens` must be <= 8193."),
    said("The prompt is longer than the model's context length"),
    said("Input length (9) exceeds max_model_len (8)"),
    said("request (9 tokens) exceeds the available context size (8 tokens), try increasing it"),
    said("The number of tokens to keep is greater than the context length"),
    said("the prompt is longer than the context length currently available"),
    said("Your request exceeded model token limit: 8192"),
    said("invalid params, context window exceeds limit"),
    said("Input is too long for requested model."),
    said("输入超过最大长度"),
    said("超出上下文长度限制"),
]


@pytest.mark.parametrize("body", OVERFLOWS, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_window_that_is_exceeded_is_known_by_any_vendors_words(status: int, body: object) -> None:
    assert type(classify(status, body)) is errors.TooLong


@pytest.mark.parametrize(
    "body",
    [
        said(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        ),
        said("Invalid 'messages[0].content': string too long.", code="string_above_max_length"),
    ],
)
def test_what_only_sounds_like_it_is_none(body: object) -> None:
    assert not isinstance(classify(400, body), errors.TooLong)


# Parameters


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("`temperature` is deprecated for this model.", "temperature"),
        ("'temperature' is not supported for this model", "temperature"),
        ("temperature is not supported with this model", "temperature"),
        ("`top_p` is no longer supported for this model", "top_p"),
        ("stream_options: Extra inputs are not permitted", "stream_options"),
        ('"thinking.type.enabled" is not supported for this model.', "thinking.type.enabled"),
        ("Function call is missing a thought_signature in functionCall parts.", "thought_signature"),
        ("The `reasoning_content` in the thinking mode must be passed back to the API.", "reasoning_content"),
        ("Tool call id was x but must be a-z, A-Z, 0-9, with a length of 9.", "tool_call_id"),
        ("Unexpected role 'user' after role 'tool'", "role"),
        ("'messages.2' : property 'reasoning_content' is unsupported", "thoughts"),
    ],
)
def test_the_parameter_that_a_model_does_not_take_is_named(text: str, parameter: str) -> None:
    error = classify(400, said(text))

    assert type(error) is errors.UnknownParameter
    assert error.parameter == parameter


def test_a_validation_names_its_field() -> None:
    place = ["body", "messages", 2, "assistant", "reasoning_content"]
    error = classify(422, {"detail": [{"loc": place, "msg": "Extra inputs are not permitted", "type": "x"}]})

    assert isinstance(error, errors.UnknownParameter)
    assert error.parameter == "thoughts"


# Whether and when again


@pytest.mark.parametrize(
    ("status", "header", "retries"),
    [
        (500, "false", 0),
        (500, "true", 1),
        (500, "", 1),
        (429, "true", 1),
        (429, "false", 0),
        (400, "true", 1),
    ],
)
def test_the_server_may_say_whether_to_ask_again_at_once(status: int, header: str, retries: int) -> None:
    assert classify(status, said("x"), x_should_retry=header).retries == retries


@pytest.mark.parametrize(
    "body",
    [
        said("spend", type="rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
        said("spend", details={"error_code": "linked_organization_spend_limit_reached"}),
        said("You have reached your specified API usage limits."),
        said(
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
        ),
    ],
)
def test_a_cap_on_spending_rests_until_the_next_month(body: object) -> None:
    error = classify(429, body)

    assert type(error) is errors.OutOfMoney
    assert error.retry_after == UNTIL_DECEMBER


def test_the_day_that_the_server_names_counts() -> None:
    text = (
        "You have reached your specified API usage limits. You will regain access on 2026-11-23 at 12:00 UTC."
    )

    assert classify(400, said(text)).retry_after == 86_400


@pytest.mark.parametrize(
    ("today", "then"),
    [("2026-12-31", "2027-01-01"), ("2027-01-31", "2027-02-01"), ("2026-11-01", "2026-12-01")],
)
def test_the_next_month_begins_on_its_first(today: str, then: str) -> None:
    now = datetime.fromisoformat(f"{today}T13:00+00:00").timestamp()

    assert now + waits.to_next_month(now) == datetime.fromisoformat(f"{then}T00:00+00:00").timestamp()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry_after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": "Sun, 22 Nov 2026 12:00:20 GMT"}, 10.0),
        ({"retry_after": "99999999"}, None),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "soon"}, None),
    ],
)
def test_the_wait_in_every_form_and_none_that_nobody_means(
    headers: dict[str, str], wait: float | None
) -> None:
    assert classify(429, said("x"), **headers).retry_after == wait
