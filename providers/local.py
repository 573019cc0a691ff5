"""What servers tell of their models, and what more local ones tell when asked in their own way. No I/O of its
own.

Facts from the servers' sources and documentation, November 2026: llama.cpp's server `/props`, Ollama's
`/api/tags`, `/api/show` and `/api/ps`, LM Studio's `/api/v1/models`, vLLM's `max_model_len`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from providers.errors import Loading, ProviderError
from providers.types import ModelInfo, Tier

CAPABLE_FROM = 20.0
"""Billions of parameters from which a local model counts as capable rather than weak."""
OLLAMA_WINDOW = 4096
"""What Ollama gives a model by default on small machines; it drops what is older without a word."""
ASKED_IN_DETAIL = 8
"""Of how many of Ollama's models the details are asked for."""

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?b(?![a-z0-9])", re.IGNORECASE)
_NOT_FOR_CHAT = re.compile(r"embed|(?:^|[/:_-])bge|rerank|whisper|tts|guard|(?:^|[/:_-])clip", re.IGNORECASE)


class Ask(Protocol):
    """GET a URL, or POST `body` to it, and return the JSON that comes; raises `ProviderError`."""

    def __call__(self, url: str, body: Mapping[str, Any] | None = None) -> Awaitable[Any]: ...


def root_of(base: str) -> str:
    """The server's own root below its OpenAI-compatible base."""
    return base.rstrip("/").removesuffix("/v1")


def tier_of(name: str, size: str = "") -> Tier:
    """A local model's tier by its size, as its name or its server gives it; unknown is weak."""
    match = _SIZE.search(size) or _SIZE.search(name)
    return "capable" if match and float(match[1]) >= CAPABLE_FROM else "weak"


def parse_models(body: object) -> tuple[ModelInfo, ...]:
    """A list of models in any of the shapes seen: `{"data": [...]}`, `{"models": [...]}`, a bare array."""
    entries: object = body
    if isinstance(body, Mapping):
        entries = body.get("data", body.get("models", ()))
    found: dict[str, ModelInfo] = {}
    for entry in entries if isinstance(entries, list | tuple) else ():
        info = _model(entry)
        if info is not None:
            found.setdefault(info.id, info)
    return tuple(found.values())


async def describe(ask: Ask, base: str, listed: object) -> tuple[ModelInfo, ...]:
    """The models of a local server, from its own endpoints where `listed` (its `/models`) shows which server
    it is.
    """
    models = tuple(replace(model, tier=tier_of(model.id)) for model in parse_models(listed))
    owners = {str(entry.get("owned_by")) for entry in _entries(listed)}
    try:
        if "llamacpp" in owners:
            return await llama_server(ask, root_of(base), models)
        if "library" in owners:
            return await ollama(ask, root_of(base))
        if "organization_owner" in owners:
            return await lm_studio(ask, root_of(base)) or models
    except Loading:
        raise
    except ProviderError:
        return models  # what the list said is all that there is
    return models


async def llama_server(ask: Ask, root: str, models: Sequence[ModelInfo]) -> tuple[ModelInfo, ...]:
    """llama.cpp: the window of one slot and the template's abilities. A router of several models tells them
    per model.
    """
    props = await ask(f"{root}/props")
    if not isinstance(props, Mapping) or props.get("role") == "router":
        return tuple(models)
    settings = props.get("default_generation_settings")
    window = settings.get("n_ctx") if isinstance(settings, Mapping) else None
    tools = _template_tools(props.get("chat_template_caps"))
    return tuple(
        replace(
            m, context_window=_window(window) or m.context_window, tools=m.tools if tools is None else tools
        )
        for m in models
    )


async def ollama(ask: Ask, root: str, default_window: int = OLLAMA_WINDOW) -> tuple[ModelInfo, ...]:
    """Ollama's local chat models, those that use tools first. Ones that run elsewhere (`-cloud`) are left
    out.
    """
    tags = await ask(f"{root}/api/tags")
    loaded = {
        str(m.get("name")): _window(m.get("context_length")) for m in _entries(await ask(f"{root}/api/ps"))
    }
    found: list[ModelInfo] = []
    for entry in [e for e in _entries(tags) if _runs_here(e)][:ASKED_IN_DETAIL]:
        name = str(entry.get("name") or entry.get("model") or "")
        shown = await ask(f"{root}/api/show", {"model": name})
        abilities = shown.get("capabilities") if isinstance(shown, Mapping) else None
        if isinstance(abilities, list) and "completion" not in abilities:
            continue
        details = entry.get("details")
        size = str(details.get("parameter_size") or "") if isinstance(details, Mapping) else ""
        window = loaded.get(name) or _set_window(shown) or default_window
        tools = "tools" in abilities if isinstance(abilities, list) else None
        found.append(ModelInfo(name, window, tools, tier_of(name, size)))
    return tuple(sorted(found, key=lambda model: not model.tools))


async def lm_studio(ask: Ask, root: str) -> tuple[ModelInfo, ...]:
    """LM Studio: loaded models first, with the window that each was loaded with."""
    found: list[tuple[bool, ModelInfo]] = []
    for entry in _entries(await ask(f"{root}/api/v1/models")):
        if entry.get("type", "llm") != "llm":
            continue
        loaded = [i for i in entry.get("loaded_instances") or () if isinstance(i, Mapping)]
        config = loaded[0].get("config") if loaded else None
        window = config.get("context_length") if isinstance(config, Mapping) else None
        abilities = entry.get("capabilities")
        tools = abilities.get("trained_for_tool_use") if isinstance(abilities, Mapping) else None
        name = str(entry.get("key") or "")
        info = ModelInfo(
            name,
            _window(window),
            tools if isinstance(tools, bool) else None,
            tier_of(name, str(entry.get("params_string"))),
        )
        found.append((not loaded, info))
    return tuple(info for _, info in sorted(found, key=lambda pair: (pair[0], not pair[1].tools)))


def _model(entry: object) -> ModelInfo | None:
    if isinstance(entry, str):
        entry = {"id": entry}
    if not isinstance(entry, Mapping):
        return None
    name = str(entry.get("id") or entry.get("name") or entry.get("key") or "").removeprefix("models/")
    if not name or _NOT_FOR_CHAT.search(name):
        return None
    meta = entry.get("meta")
    places = (entry, meta if isinstance(meta, Mapping) else {})
    keys = (
        "n_ctx",
        "max_model_len",
        "context_length",
        "context_window",
        "max_context_length",
        "max_input_tokens",
    )
    windows = (_window(place.get(key)) for place in places for key in keys)
    return ModelInfo(name, next((w for w in windows if w), None), _tools(entry))


def _tools(entry: Mapping[str, Any]) -> bool | None:
    parameters = entry.get("supported_parameters")
    if isinstance(parameters, list):
        return "tools" in parameters
    abilities = entry.get("capabilities")
    said = abilities.get("function_calling") if isinstance(abilities, Mapping) else None
    return said if isinstance(said, bool) else None


def _template_tools(caps: object) -> bool | None:
    if not isinstance(caps, Mapping):
        return None
    said = [
        caps[name] for name in ("supports_tools", "supports_tool_calls") if isinstance(caps.get(name), bool)
    ]
    return all(said) if said else None


def _entries(body: object) -> list[Mapping[str, Any]]:
    entries: object = body
    if isinstance(body, Mapping):
        entries = body.get("data", body.get("models", ()))
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _runs_here(entry: Mapping[str, Any]) -> bool:
    name = str(entry.get("name") or entry.get("model") or "")
    remote = entry.get("remote_host") or name.endswith("-cloud") or ":cloud" in name
    return bool(name) and not remote and not _NOT_FOR_CHAT.search(name)


def _set_window(shown: object) -> int | None:
    """`num_ctx` of a model that was made with one, from the text of its parameters."""
    parameters = shown.get("parameters") if isinstance(shown, Mapping) else None
    match = re.search(r"^num_ctx\s+(\d+)", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    return int(match[1]) if match else None


def _window(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
