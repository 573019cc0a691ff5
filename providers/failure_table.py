"""The table of failures: which code, wording or status means which class. Data, gathered in November 2026
from vendors' documentation, SDKs and servers' sources.

Codes decide first (but for one wording), then known wordings, then the status: the same status means opposite
things (a 429 may be "wait two seconds" or "pay", a 404 "no such model" or "no tools"). Within each part the
first match wins.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.errors import (
    BadRequest,
    BadThoughts,
    Denied,
    Loading,
    Malformed,
    Misconfigured,
    NoImageSupport,
    NoToolSupport,
    OutOfMoney,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    TooLong,
    UnknownModel,
    UnknownParameter,
    Withheld,
)

Class = type[ProviderError]

BEFORE_CODES: tuple[tuple[Class, frozenset[int], tuple[str, ...]], ...] = (
    # Google's way to say that a model is not part of the free tier at all, beside a code and a time to wait
    # that help nobody.
    (Withheld, frozenset({429}), ("limit: 0",)),
    # OpenRouter's, whose code says no more than that nobody serves it.
    (NoToolSupport, frozenset({404}), ("support tool use",)),
    (NoImageSupport, frozenset({404}), ("support image input",)),
)

BY_CODE: tuple[tuple[Class, frozenset[str]], ...] = (
    (
        UnknownParameter,
        frozenset({"unsupported_parameter", "unknown_parameter", "unsupported_value", "extra_forbidden"}),
    ),
    (
        TooLong,
        frozenset(
            {
                "context_length_exceeded",
                "exceed_context_size_error",
                "model_context_window_exceeded",
                "token_limit_exceeded",
                "request_too_large",
                "1210",
                "1261",
            }
        ),
    ),
    (BadRequest, frozenset({"string_above_max_length", "invalid_prompt"})),
    (Refused, frozenset({"content_policy_violation", "content_filter", "refusal"})),
    # OpenRouter's budget of calls in flight: it passes by itself although the status says 402.
    (RateLimited, frozenset({"in_flight_budget_exhausted", "openrouter_in_flight_budget"})),
    (
        OutOfMoney,
        frozenset(
            {
                "insufficient_quota",
                "credit_balance_exhausted",
                "organization_spend_limit_exceeded",
                "project_spend_limit_exceeded",
                "organization_usage_limit_exceeded",
                "billing_hard_limit_reached",
                "billing_error",
                "enforced_spend_limit_reached",
                "contract_spend_limit_reached",
                "linked_organization_spend_limit_reached",
                "personal-team-blocked:spending-limit",
                "payment_required",
                "openrouter_credits",
                "openrouter_key_limit",
                "openrouter_guardrail_budget",
                "openrouter_workspace_budget",
                "1113",
            }
        ),
    ),
    (
        UnknownModel,
        frozenset(
            {
                "model_not_found",
                "free_variant_ended",
                "model_deprecated",
                "model_unavailable_upstream",
                "no_endpoints",
            }
        ),
    ),
    (Withheld, frozenset({"privacy_restricted", "region_restricted", "constraint_filtered"})),
    (
        Overloaded,
        frozenset({"overloaded_error", "server_is_overloaded", "slow_down", "provider_overloaded", "1305"}),
    ),
    (Malformed, frozenset({"tool_use_failed"})),
    (Misconfigured, frozenset({"unknown_url", "wrong_endpoint"})),
    (Denied, frozenset({"authentication_error", "invalid_api_key", "permission_error", "authentication"})),
    (RateLimited, frozenset({"rate_limit_exceeded", "rate_limit_error", "resource_exhausted", "1302"})),
)

_ANY = frozenset(range(1000))

PARAMETERS: tuple[tuple[str, str], ...] = (
    ("missing a thought_signature", "thought_signature"),
    ("missing `reasoning_content`", "reasoning_content"),
    ("missing reasoning_content", "reasoning_content"),
    ("must be passed back", "reasoning_content"),
    ("a-z, 0-9, with a length of 9", "tool_call_id"),
    ("after role 'tool'", "role"),
    ("thinking.type.enabled", "thinking.type.enabled"),
    ("does not support thinking", "thinking"),
    ("reasoning_content", "thoughts"),
    ("reasoning_details", "thoughts"),
    ("extra_content", "thoughts"),
)
"""Wordings of an `UnknownParameter` → the parameter, or the quirk of `providers.wire`, that they mean."""

BY_WORDS: tuple[tuple[Class, frozenset[int], tuple[str, ...]], ...] = (
    (
        NoImageSupport,
        _ANY,
        (
            "support image input",
            "image input is not supported",  # llama.cpp's server, with status 500
            "does not support image",
            "images are not supported",
            "image_url is only supported by certain models",
            "unknown variant `image_url`",
            "is not a multimodal model",
            "at most 0 image",
            "image input is not enabled",
            "image input modality is not enabled",
            "missing data required for image input",
            "does not support vision",
        ),
    ),
    (UnknownParameter, _ANY, ("unsupported parameter", "unsupported value", "unknown parameter")),
    (UnknownParameter, _ANY, ("extra inputs are not permitted", "unrecognized request argument")),
    (
        UnknownParameter,
        _ANY,
        (
            "is deprecated for this model",
            "not supported for this model",
            "not supported with this model",
            "not supported by this model",
            "no longer supported for this model",
            "' is unsupported",
        ),
    ),
    (UnknownParameter, frozenset({400, 422, 500}), tuple(words for words, _ in PARAMETERS)),
    (BadThoughts, frozenset({400}), ("signature", "`thinking`", "thinking block")),
    (
        TooLong,
        _ANY,
        (
            "maximum context length is",
            "prompt is too long",
            "exceed context limit",
            "exceeds the maximum number of tokens",
            "maximum prompt length is",
            "reduce the length of the messages",
            "maximum context length",
            "tokens in request more than max tokens allowed",
            "prompt exceeds max length",
            "`inputs` tokens + `max_new_tokens` must be",
            "longer than the model's context length",
            "max_model_len",
            "exceeds the available context size",
            "greater than the context length",
            "longer than the context length currently available",
            "exceeded model token limit",
            "context window exceeds limit",
            "input is too long for requested model",
            "超过最大长度",
            "上下文长度",
        ),
    ),
    (Loading, frozenset({503}), ("loading model", "is loading", "currently loading")),
    (
        NoToolSupport,
        _ANY,
        (
            "support tool use",
            "does not support tools",
            "tools param requires --jinja",
            "--enable-auto-tool-choice",
            "tool use is not supported",
            "function calling is not",
        ),
    ),
    (Refused, frozenset({400, 403}), ("moderation", "flagged", "content management policy", "safety system")),
    (
        OutOfMoney,
        frozenset({200, 400, 402, 403, 429}),
        (
            "credit balance is too low",
            "insufficient credits",
            "insufficient balance",
            "key limit exceeded",
            "reached your specified api usage limits",
            "check your plan and billing details",
        ),
    ),
    (RateLimited, frozenset({413}), ("tokens per minute",)),
    (Misconfigured, frozenset({404}), ("page not found", "file not found", "no route", "cannot post")),
    (Overloaded, frozenset({429, 503}), ("overloaded", "capacity", "server busy", "too many pending")),
    (Denied, frozenset({400}), ("api key not valid", "incorrect api key", "invalid api key")),
    (
        UnknownModel,
        frozenset({400, 403, 404}),
        ("model not found", "not found, try pulling", "model is not loaded"),
    ),
    (
        UnknownModel,
        frozenset({400, 404}),
        ("does not exist", "no such model", "invalid model", "' not found"),
    ),
    (Withheld, frozenset({404}), ("data policy", "guardrail")),
    (UnknownModel, frozenset({404}), ("no endpoints found",)),
    (Withheld, frozenset({403}), ("requires a subscription",)),
)

UNTIL_NEXT_MONTH: tuple[frozenset[str], tuple[str, ...]] = (
    frozenset(
        {
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "linked_organization_spend_limit_reached",
        }
    ),
    ("reached your specified api usage limits",),
)
"""Codes and wordings of Anthropic's caps on spending, which are lifted with the next month (UTC)."""

BY_STATUS: Mapping[int, Class] = {
    400: BadRequest,
    401: Denied,
    402: OutOfMoney,
    403: Denied,
    404: UnknownModel,
    405: Misconfigured,
    413: TooLong,
    422: BadRequest,
    429: RateLimited,
    498: Overloaded,
    503: Overloaded,
    529: Overloaded,
}
"""What is not here is a server error: unknown failures move on to the next candidate."""
