"""What a server says of a failure → the class of `providers.errors` that it means, by
`providers.failure_table`.

The error's place does not matter: a body, an event of a stream and a choice are read alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from providers import waits
from providers.errors import (
    BadThoughts,
    Denied,
    Loading,
    Misconfigured,
    OutOfMoney,
    ProviderError,
    RateLimited,
    Scope,
    ServerError,
    TooLong,
    UnknownModel,
    UnknownParameter,
)
from providers.failure_table import (
    BEFORE_CODES,
    BY_CODE,
    BY_STATUS,
    BY_WORDS,
    PARAMETERS,
    UNTIL_NEXT_MONTH,
)
from providers.wire import NO_THOUGHTS

DETAIL = 200
"""The longest detail in characters."""

_WHOLE_ACCOUNT = frozenset({"openrouter_free_tier_daily"})
_WHOLE_ACCOUNT_WORDS = ("free-models-per-",)
_WINDOWS = re.compile(
    r"(?:context length is|maximum prompt length is|model with|context limit: \d+ \+ \d+ >|tokens >|"
    r"available context size \(|tokens allowed \(|max_model_len\D{1,20})\s*(\d{3,9})",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"(?:parameter|value|argument)s?(?: supplied)?:? [`'\"]?([a-z_]+)"
    r"|[`'\"]?([a-z_]+)[`'\"]?(?: is (?:deprecated|not supported|no longer supported|unsupported)|: extra inputs)",
    re.IGNORECASE,
)
_SECRETS = re.compile(r"\b(?:sk|gsk|xai|pk|key|AIza)[-_]?[A-Za-z0-9_-]{12,}|(?<=Bearer )\S+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff\s]+")


@dataclass(frozen=True, slots=True)
class Said:
    """A failure as the server put it: every machine-readable code in lower case, its words, and the error
    object.
    """

    codes: frozenset[str]
    text: str
    error: Mapping[str, Any]


def classify(
    status: int, headers: Mapping[str, str], body: object, now: float, secret: str = ""
) -> ProviderError:
    """The error that a response means. `body` is its bytes or what was parsed of them; `status` is 200 for a
    failure inside of an accepted answer. `headers` must ignore case.

    `x-should-retry`, where the server sends it, decides whether it may be asked again at once.
    """
    error = _classified(status, headers, body, now, secret)
    match headers.get("x-should-retry", "").strip().lower():
        case "true":
            error.retries = max(1, error.retries)
        case "false":
            error.retries = 0
    return error


def _classified(
    status: int, headers: Mapping[str, str], body: object, now: float, secret: str
) -> ProviderError:
    if isinstance(body, bytes) and body.lstrip()[:1] == b"<":
        return _page(status)
    said = read(body)
    if status in range(100, 400):
        status = next((int(c) for c in said.codes if c.isdigit() and 400 <= int(c) < 600), status)
    kind = _kind(status, said)
    detail = tidy(said.text, secret) or (f"status {status}" if status >= 300 else "")
    if kind is BadThoughts:
        return BadThoughts(detail, parameter=NO_THOUGHTS, status=status)
    if kind is UnknownParameter:
        return UnknownParameter(detail, parameter=_parameter(said), status=status)
    if kind is TooLong:
        return TooLong(detail, window=_window(said), status=status)
    if kind is UnknownModel and said.text.strip(" .").lower() in ("", "not found") and not said.codes:
        return Misconfigured(f"its address is probably wrong, status {status}", status=status)
    wait = waits.from_headers(headers, now)
    if wait is None:
        wait = waits.from_body(said.error, said.text, now)
    if wait is None and kind is OutOfMoney and _until_next_month(said):
        wait = waits.to_next_month(now)
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


def tidy(text: str, secret: str = "") -> str:
    """One line of at most `DETAIL` characters, without `secret` and anything that looks like a key."""
    if secret:
        text = text.replace(secret, "…")
    line = _SECRETS.sub("…", _CONTROL.sub(" ", text[: 20 * DETAIL]).strip())
    return line if len(line) <= DETAIL else line[: DETAIL - 1] + "…"


def _kind(status: int, said: Said) -> type[ProviderError]:
    text = said.text.lower()
    by_code = (kind for kind, codes in BY_CODE if said.codes & codes)
    found = _by_words(BEFORE_CODES, status, text) or next(by_code, None) or _by_words(BY_WORDS, status, text)
    return found or BY_STATUS.get(status, ServerError)


def _by_words(
    table: Iterable[tuple[type[ProviderError], frozenset[int], tuple[str, ...]]], status: int, text: str
) -> type[ProviderError] | None:
    rows = (kind for kind, statuses, words in table if status in statuses and any(w in text for w in words))
    return next(rows, None)


def _page(status: int) -> ProviderError:
    if status in (404, 405):
        return Misconfigured(
            f"its address is probably wrong: a web page answers, status {status}", status=status
        )
    if status in (401, 403):
        return Denied(f"a web page answers instead, status {status}", status=status)
    return ServerError(f"not an API: got a web page, status {status}", status=status)


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
        detail = "; ".join(_validation(one) for one in detail)
    return {**body, "message": detail} if detail else body


def _validation(one: object) -> str:
    """One complaint of FastAPI's, with the field that it is about."""
    if not isinstance(one, Mapping):
        return str(one)
    place = one.get("loc")
    field = f"{place[-1]}: " if isinstance(place, list) and place else ""
    return f"{field}{one.get('msg', one)}"


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
    param = param if isinstance(param, str) else ""
    text = f"{said.text} {param}".lower()
    for words, meant in PARAMETERS:
        if words in text:
            return meant
    match = _PARAMETER.search(said.text)
    return param or (match[1] or match[2] if match else "")


def _until_next_month(said: Said) -> bool:
    codes, words = UNTIL_NEXT_MONTH
    return bool(said.codes & codes) or any(w in said.text.lower() for w in words)


def _window(said: Said) -> int | None:
    n_ctx = said.error.get("n_ctx")
    if isinstance(n_ctx, int) and n_ctx > 0:
        return n_ctx
    match = _WINDOWS.search(said.text)
    return int(match[1]) if match else None
