"""What servers tell of their models, and what more local ones tell when asked in their own way. No I/O of its
own.

Facts from the servers' sources and documentation, November 2026: llama.cpp's server `/props`, Ollama's
`/api/tags`, `/api/show` and `/api/ps`, LM Studio's `/api/v1/models`, vLLM's `max_model_len`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import quote

from providers import nanbeige
from providers.errors import Loading, ProviderError
from providers.types import ModelInfo, Tier

CAPABLE_FROM = 20.0
"""Billions of parameters from which a local model counts as capable rather than weak."""
OLLAMA_WINDOW = 4096
"""What Ollama gives a model by default on small machines; it drops what is older without a word."""
ASKED_IN_DETAIL = 8
"""Of how many of Ollama's models the details are asked for."""

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?b(?![a-z0-9])", re.IGNORECASE)
_IN_MEMORY = ("loaded", "sleeping")
"""What a router of llama.cpp's calls models that answer at once, or almost."""
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


def is_ollama(listed: object) -> bool:
    """Whether a list of models is one of Ollama's."""
    return any(entry.get("owned_by") == "library" for entry in _entries(listed))


async def describe(ask: Ask, base: str, listed: object, names: Iterable[str] = ()) -> tuple[ModelInfo, ...]:
    """The models of a local server, from its own endpoints where `listed` (its `/models`) shows which server
    it is. `names` are other names that its owner has for the model of a server that takes any.
    """
    models = tuple(replace(model, tier=tier_of(model.id)) for model in parse_models(listed))
    owners = {str(entry.get("owned_by")) for entry in _entries(listed)}
    try:
        if "llamacpp" in owners:
            return await llama_server(ask, root_of(base), listed, names)
        if "library" in owners:
            return await ollama(ask, root_of(base))
        if "organization_owner" in owners:
            return await lm_studio(ask, root_of(base)) or models
    except Loading:
        raise
    except ProviderError:
        return models  # what the list said is all that there is
    return models


async def llama_server(
    ask: Ask, root: str, listed: object, names: Iterable[str] = ()
) -> tuple[ModelInfo, ...]:
    """llama.cpp: the window of one slot, how many slots there are, and what template and projector can do. A router
    of several models tells that of each one that is loaded.
    """
    props = await ask(f"{root}/props")
    if not isinstance(props, Mapping):
        return parse_models(listed)
    if props.get("role") == "router":
        return await _routed(ask, root, listed)
    models = [_served(model, entry, props) for entry in _entries(listed) if (model := _model(entry))]
    if len(models) == 1:  # it ignores the name that it is asked for
        models += [replace(models[0], id=name) for name in dict.fromkeys(names) if name != models[0].id]
    return tuple(models)


async def _routed(ask: Ask, root: str, listed: object) -> tuple[ModelInfo, ...]:
    """A router's models, those first that are loaded; it loads the others when they are asked for."""
    found: list[tuple[int, ModelInfo]] = []
    for entry in _entries(listed):
        model, status = _model(entry), entry.get("status")
        state = str(status.get("value")) if isinstance(status, Mapping) else ""
        if model is None or state == "downloading":
            continue
        if state in _IN_MEMORY:
            # Not to be loaded for being asked about, should it have been unloaded this moment.
            props = await ask(f"{root}/props?model={quote(model.id, safe='')}&autoload=false")
            model = _served(model, entry, props if isinstance(props, Mapping) else {})
        else:
            model = replace(model, tier=_tier(model.id, entry), slots=1, loaded=False)
        failed = isinstance(status, Mapping) and status.get("failed") is True
        order = 3 if failed else _IN_MEMORY.index(state) if state in _IN_MEMORY else 2
        found.append((order, model))
    return tuple(model for _, model in sorted(found, key=lambda pair: pair[0]))


def _served(model: ModelInfo, entry: Mapping[str, Any], props: Mapping[str, Any]) -> ModelInfo:
    """What the `/props` of a llama.cpp server say of the model that it holds."""
    settings = props.get("default_generation_settings")
    window = settings.get("n_ctx") if isinstance(settings, Mapping) else None
    senses = props.get("modalities")
    vision = senses.get("vision") if isinstance(senses, Mapping) else None
    tools = _template_tools(props.get("chat_template_caps"))
    return replace(
        model,
        context_window=_window(window) or model.context_window,
        tools=model.tools if tools is None else tools,
        tier=_tier(model.id, entry),
        vision=vision if isinstance(vision, bool) else None,
        thinks=True if nanbeige.is_one(model.id) else None,
        slots=_window(props.get("total_slots")) or 1,
        loaded=True,
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
        told = shown.get("capabilities") if isinstance(shown, Mapping) else None
        abilities = [str(one) for one in told] if isinstance(told, list) else None
        if abilities is not None and "completion" not in abilities:
            continue
        details = entry.get("details")
        size = str(details.get("parameter_size") or "") if isinstance(details, Mapping) else ""
        info = ModelInfo(
            name,
            loaded.get(name) or set_window(shown) or default_window,
            _among("tools", abilities),
            tier_of(name, size),
            vision=_among("vision", abilities),
            thinks=_among("thinking", abilities),
            slots=1,  # unless its owner set OLLAMA_NUM_PARALLEL, which it doesn't tell
            loaded=name in loaded,
        )
        found.append(info)
    return tuple(sorted(found, key=lambda model: not model.tools))


async def lm_studio(ask: Ask, root: str) -> tuple[ModelInfo, ...]:
    """LM Studio: loaded models first, with the window that each was loaded with. Before version 0.4 another list."""
    body = await ask(f"{root}/api/v1/models")
    if not isinstance(body, Mapping) or "models" not in body:
        body = await ask(f"{root}/api/v0/models")
    entries = [entry for entry in _entries(body) if entry.get("type", "llm") in ("llm", "vlm")]
    found = [info for entry in entries if (info := _studio_model(entry)).id]
    return tuple(sorted(found, key=lambda info: (not info.loaded, not info.tools)))


def _studio_model(entry: Mapping[str, Any]) -> ModelInfo:
    instances = [i for i in entry.get("loaded_instances") or () if isinstance(i, Mapping)]
    config = instances[0].get("config") if instances else None
    config = config if isinstance(config, Mapping) else {}
    window = _window(config.get("context_length")) or _window(entry.get("loaded_context_length"))
    told = entry.get("capabilities")
    tools, vision = (
        (told.get("trained_for_tool_use"), told.get("vision"))
        if isinstance(told, Mapping)
        else (("tool_use" in told) if isinstance(told, list) else None, None)
    )
    name = str(entry.get("key") or entry.get("id") or "")
    return ModelInfo(
        name,
        window,
        tools if isinstance(tools, bool) else None,
        tier_of(name, str(entry.get("params_string"))),
        vision=True if entry.get("type") == "vlm" else vision if isinstance(vision, bool) else None,
        slots=_window(config.get("parallel")) or 1,
        loaded=bool(instances) or entry.get("state") == "loaded",
    )


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


def _tier(name: str, entry: Mapping[str, Any]) -> Tier:
    meta = entry.get("meta")
    parameters = meta.get("n_params") if isinstance(meta, Mapping) else None
    return tier_of(name, f"{parameters / 1e9:.1f}b" if isinstance(parameters, int | float) else "")


def _among(ability: str, abilities: list[str] | None) -> bool | None:
    return None if abilities is None else ability in abilities


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


def set_window(shown: object) -> int | None:
    """`num_ctx` of a model that was made with one, from the text of its parameters."""
    parameters = shown.get("parameters") if isinstance(shown, Mapping) else None
    match = re.search(r"^num_ctx\s+(\d+)", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    return int(match[1]) if match else None


def _window(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
