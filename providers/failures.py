"""What a server says of a failure → the class of `providers.errors` that it means. The only place that reads
wordings.

Codes decide first, then known wordings, then the status: the same status means opposite things (a 429 may be
"wait two seconds" or "pay", a 404 "no such model" or "no tools"). Facts gathered from vendors' documentation,
SDKs and servers' sources in November 2026. The error's place does not matter: a body, an event of a stream
and a choice are read alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from providers import waits
from providers.errors import (
    BadRequest,
    Denied,
    Loading,
    Malformed,
    Misconfigured,
    NoToolSupport,
    OutOfMoney,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    Scope,
    ServerError,
    TooLong,
    UnknownModel,
    UnknownParameter,
)

DETAIL = 200
"""The longest detail in characters."""

_Class = type[ProviderError]

BY_CODE: tuple[tuple[_Class, frozenset[str]], ...] = (
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
                "privacy_restricted",
                "region_restricted",
                "constraint_filtered",
            }
        ),
    ),
    (
        Overloaded,
        frozenset({"overloaded_error", "server_is_overloaded", "slow_down", "provider_overloaded", "1305"}),
    ),
    (Malformed, frozenset({"tool_use_failed"})),
    (Misconfigured, frozenset({"unknown_url", "wrong_endpoint"})),
    (Denied, frozenset({"authentication_error", "invalid_api_key", "permission_error", "authentication"})),
    (RateLimited, frozenset({"rate_limit_exceeded", "rate_limit_error", "resource_exhausted", "1302"})),
)

_ANY = range(1000)

BY_WORDS: tuple[tuple[_Class, range | frozenset[int], tuple[str, ...]], ...] = (
    (UnknownParameter, _ANY, ("unsupported parameter", "unsupported value", "unknown parameter")),
    (UnknownParameter, _ANY, ("extra inputs are not permitted", "unrecognized request argument")),
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
    # Google's way to say that a model is not part of the free tier at all, beside a retry time that helps
    # nobody.
    (UnknownModel, frozenset({429}), ("limit: 0",)),
    (
        OutOfMoney,
        frozenset({400, 402, 403, 429}),
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
    (UnknownModel, frozenset({404}), ("no endpoints found", "data policy")),
    (UnknownModel, frozenset({403}), ("requires a subscription",)),
)

BY_STATUS: Mapping[int, _Class] = {
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

_WHOLE_ACCOUNT = frozenset({"openrouter_free_tier_daily"})
_WHOLE_ACCOUNT_WORDS = ("free-models-per-",)
_WINDOWS = re.compile(
    r"(?:context length is|maximum prompt length is|model with|context limit: \d+ \+ \d+ >|tokens >|"
    r"available context size \(|tokens allowed \(|max_model_len\D{1,20})\s*(\d{3,9})",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(?:parameter|value|argument)s?(?: supplied)?:? [`'\"]?([a-z_]+)", re.IGNORECASE)
_SECRETS = re.compile(r"\b(?:sk|gsk|xai|pk|key|AIza)[-_]?[A-Za-z0-9_-]{12,}|(?<=Bearer )\S+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\s]+")


@dataclass(frozen=True, slots=True)
class Said:
    """A failure as the server put it: every machine-readable code in lower case, its words, and the error
    object.
    """

    codes: frozenset[str]
    text: str
    error: Mapping[str, Any]


def classify(status: int, headers: Mapping[str, str], body: object, now: float) -> ProviderError:
    """The error that a response means. `body` is its bytes or what was parsed of them; `status` is 200 for a
    failure inside of an accepted answer. `headers` must ignore case.
    """
    if isinstance(body, bytes) and body.lstrip()[:1] == b"<":
        return _page(status)
    said = read(body)
    if status in range(100, 400):
        status = next((int(c) for c in said.codes if c.isdigit() and 400 <= int(c) < 600), status)
    kind = _kind(status, said)
    detail = tidy(said.text) or (f"status {status}" if status >= 300 else "")
    if kind is UnknownParameter:
        return UnknownParameter(detail, parameter=_parameter(said), status=status)
    if kind is TooLong:
        return TooLong(detail, window=_window(said), status=status)
    if kind is UnknownModel and said.text.strip(" .").lower() in ("", "not found") and not said.codes:
        return Misconfigured(f"its address is probably wrong (status {status})", status=status)
    wait = waits.from_headers(headers, now)
    if wait is None:
        wait = waits.from_body(said.error, said.text, now)
    whole = bool(said.codes & _WHOLE_ACCOUNT) or any(w in said.text.lower() for w in _WHOLE_ACCOUNT_WORDS)
    scope: Scope | None = "account" if kind is RateLimited and whole else None
    return kind(detail, retry_after=None if kind is Loading else wait, scope=scope, status=status)


def read(body: object) -> Said:
    """Take a failure's codes and words out of any of the shapes that servers use."""
    if isinstance(body, bytes):
        text = body.decode("utf-8", "replace")
        try:
            return read(json.loads(text))
        except ValueError:
            return Said(frozenset(), text, {})
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, Mapping):
        return Said(frozenset(), str(body or ""), {})
    error = _error_of(body)
    codes = {
        str(code).lower()
        for code in _codes(error)
        if isinstance(code, str | int) and not isinstance(code, bool)
    }
    return Said(frozenset(codes), " ".join(dict.fromkeys(_words(error))), error)


def failed(event: Mapping[str, Any]) -> bool:
    """Whether a JSON object inside an accepted answer is a failure."""
    if event.get("error") or event.get("object") == "error" or event.get("type") == "error":
        return True
    choices = event.get("choices")
    return bool(
        isinstance(choices, list) and choices and isinstance(choices[0], Mapping) and choices[0].get("error")
    )


def tidy(text: str) -> str:
    """One line of at most `DETAIL` characters, without anything that looks like a key."""
    line = _SECRETS.sub("…", _CONTROL.sub(" ", text[: 20 * DETAIL]).strip())
    return line if len(line) <= DETAIL else line[: DETAIL - 1] + "…"


def _kind(status: int, said: Said) -> _Class:
    for kind, codes in BY_CODE:
        if said.codes & codes and not (kind is RateLimited and "limit: 0" in said.text):
            return kind
    text = said.text.lower()
    for kind, statuses, words in BY_WORDS:
        if status in statuses and any(word in text for word in words):
            return kind
    return BY_STATUS.get(status, ServerError)


def _page(status: int) -> ProviderError:
    if status in (404, 405):
        return Misconfigured(
            f"its address is probably wrong: a web page answers (status {status})", status=status
        )
    if status in (401, 403):
        return Denied(f"a web page answers instead (status {status})", status=status)
    return ServerError(f"not an API: got a web page (status {status})", status=status)


def _error_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    if (
        not error
        and isinstance(choices := body.get("choices"), list)
        and choices
        and isinstance(choices[0], Mapping)
    ):
        error = choices[0].get("error")
    if isinstance(error, Mapping):
        return error
    if isinstance(error, str) and error:
        return {**body, "message": error}
    detail = body.get("detail")
    if isinstance(detail, list):
        detail = "; ".join(
            str(one.get("msg", one)) if isinstance(one, Mapping) else str(one) for one in detail
        )
    return {**body, "message": detail} if detail else body


def _codes(error: Mapping[str, Any]) -> Iterator[object]:
    for name in ("code", "type", "status", "error_type", "error_code", "provider_code", "limit_source"):
        yield error.get(name)
    for name in ("metadata", "details", "availability"):
        inner = error.get(name)
        if isinstance(inner, Mapping):
            yield from _codes(inner)


def _words(error: Mapping[str, Any]) -> Iterator[str]:
    message = error.get("message")
    if isinstance(message, str):
        yield message
    elif message:
        yield json.dumps(message, default=str)
    metadata = error.get("metadata")
    if isinstance(metadata, Mapping):
        yield from (str(metadata[name]) for name in ("raw", "reason") if metadata.get(name))


def _parameter(said: Said) -> str:
    param = said.error.get("param")
    match = _PARAMETER.search(said.text)
    return param if isinstance(param, str) and param else match[1] if match else ""


def _window(said: Said) -> int | None:
    n_ctx = said.error.get("n_ctx")
    if isinstance(n_ctx, int) and n_ctx > 0:
        return n_ctx
    match = _WINDOWS.search(said.text)
    return int(match[1]) if match else None
