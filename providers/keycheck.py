"""Whether a key will do: one request that costs nothing, and what the provider said to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from providers import failures
from providers.errors import Misconfigured
from providers.http import FOREIGN, translate
from providers.presets import is_local, preset_for
from providers.settings import ProviderSettings

State = Literal["ok", "refused", "unreachable", "unsure"]

_WITHIN = 10.0
_REFUSED = (400, 401, 403)
"""What providers say to a list request with a wrong key; 400 is Gemini's and xAI's word for it."""
_ADDRESSES: Mapping[str, str] = {"openrouter": "/key"}
"""Where the list of models is public: another address, which needs the key and costs nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`text` is one line for a person, without the key. `unsure`: it answered, but neither yes nor no."""

    state: State
    text: str

    @property
    def usable(self) -> bool:
        """Nothing speaks against the key: a provider that can't be reached now is no reason."""
        return self.state != "refused"


def no_key(key: str) -> str:
    """Why this can't be a key at all, or ""."""
    if key.isascii() and key.isprintable() and " " not in key:
        return ""
    return (
        "That is no key: it holds a space or a character that no key has. Was something else pasted with it?"
    )


async def check_key(
    name: str, settings: ProviderSettings, key: str, transport: httpx.AsyncBaseTransport | None = None
) -> Verdict:
    """Show `key` to the provider of these completed settings, in a request that costs nothing.

    An empty key asks as somebody without one. `transport` replaces the network.
    """
    if problem := no_key(key):
        return Verdict("refused", problem)
    preset = preset_for(name, settings)
    base = (settings.api_base or (preset.api_base if preset else "") or "").rstrip("/")
    known = preset.name if preset else name
    url = f"{base}{_ADDRESSES.get(known, '/models')}"
    kind = settings.kind or (preset.kind if preset else "openai_compat")
    try:
        async with httpx.AsyncClient(
            transport=transport, timeout=_WITHIN, trust_env=not is_local(base)
        ) as http:
            response = await http.get(url, headers=_shown(kind, key))
    except FOREIGN as error:
        failure = translate(error)
        if isinstance(failure, Misconfigured):
            return Verdict("unsure", f"{name} is not set up right: {failure.detail}")
        return Verdict("unreachable", f"{name} can't be reached now: {failure.detail}")
    return _verdict(name, response, key)


def _shown(kind: str, key: str) -> dict[str, str]:
    if kind == "anthropic":
        # Its list of models wants its own headers; see https://docs.anthropic.com/en/api/models-list
        return {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}
    return {"Authorization": f"Bearer {key}"} if key else {}


def _verdict(name: str, response: httpx.Response, key: str) -> Verdict:
    if response.status_code in _REFUSED:
        what = "this key" if key else "anybody without a key"
        return Verdict("refused", f"{name} refuses {what} (status {response.status_code})")
    body = _body(response)
    if response.is_success and not isinstance(body, dict | list):
        return Verdict("unsure", f"{name} answers with a web page where an API should be")
    if response.is_success:
        return Verdict("ok", "; ".join((f"{name} accepts the key", *_told(body))))
    said = failures.classify(response.status_code, response.headers, response.content, 0.0, key)
    return Verdict("unsure", f"{name} {said.summary} now (status {response.status_code})")


def _body(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _told(body: Mapping[str, Any] | list[Any]) -> tuple[str, ...]:
    """What OpenRouter tells of a key: https://openrouter.ai/docs/api-reference/limits"""
    data = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(data, Mapping):
        return ()
    said = []
    free = data.get("free_model_daily_requests")
    if isinstance(free, Mapping) and isinstance(free.get("limit"), int):
        said.append(f"{free.get('used', 0)} of {free['limit']} free requests used today")
    left = data.get("limit_remaining")
    if isinstance(left, int | float):
        said.append(f"${left:.2f} of its limit left")
    return tuple(said)
