"""What `nanobot doctor` looks at in each provider: name, connection, key, models, and one call with a tool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from bot.config.report import nearest
from bot.gateway import notices
from bot.ops.doctor import Check, Finding, Findings, Patient
from bot.ops.doctor_network import connection
from providers import errors, gguf, llama, starter
from providers.base import Provider
from providers.client import ModelClient
from providers.errors import ProviderError
from providers.keycheck import check_key
from providers.presets import preset_for
from providers.registry import Catalog, create
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Completion, Message, ModelInfo, Route, ToolDef

ROLES = ("reasoning", "rlm", "compaction", "reflection")
OWN_PROCESS = ("starter", "llamacpp")
"""Kinds whose server nanobot starts itself."""

_LIST_WITHIN = 15.0
_LOAD_WITHIN = 120.0
_CALL_WITHIN = 90.0
_OTHERWISE = "try another model or provider; if this one should do, please report it"
_NARROW = 8192
"""Tokens of a window below which a conversation with tools is cut short all the time."""
_ANSWER = 300
_TOOL = ToolDef(
    "note_number",
    "Notes a number.",
    {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
)
_QUESTION = Message("user", "Call the tool note_number with the number 7. Answer with nothing else.")

_FIXES: Mapping[type[ProviderError], str] = MappingProxyType(
    {
        errors.Unreachable: "look whether its server runs, and at the network",
        errors.ServerError: "try again later; meanwhile the next in the chain answers",
        errors.Overloaded: "try again later; meanwhile the next in the chain answers",
        errors.Misconfigured: "correct its section in the configuration; `nanobot check` helps",
        errors.Denied: "make a new key, and run `nanobot init`",
        errors.OutOfMoney: "top up the account, or let free and local models answer",
        errors.RateLimited: "wait, or add another provider: `nanobot init`",
        errors.UnknownModel: "choose another model (default_model in its section); `nanobot models` lists them",
        errors.NoToolSupport: "choose a model that can use tools; this one can only talk",
        errors.Loading: "wait until its model is loaded",
        errors.TooLong: "start its server with a larger context window",
    }
)


def checks(catalog: Catalog) -> list[Check]:
    """One for each provider, and one for all of them together."""
    each = [
        Check(name, partial(provider, name), seconds=_LOAD_WITHIN + _CALL_WITHIN + 30.0)
        for name in catalog.providers
    ]
    return [Check("models", chain), *each]


async def chain(patient: Patient) -> Findings:
    """That there is somebody to answer, and better than the built-in model."""
    candidates = ModelClient(patient.catalog).candidates("reasoning")
    if not candidates:
        yield Finding("error", "models", "there is no model to answer with", "nanobot init")
    elif all(candidate.info.tiny for candidate in candidates):
        text = "only the small built-in model answers, which chats a little and uses no tools"
        yield Finding("warning", "models", text, "nanobot init offers better ones, free ones too")
    else:
        names = [str(candidate.route) for candidate in candidates[:3]]
        more = f", and {len(candidates) - 3} more" if len(candidates) > 3 else ""
        yield Finding("ok", "models", f"{', then '.join(names)}{more}")


async def provider(name: str, patient: Patient) -> Findings:
    """Everything about one provider, as far as one thing lets the next be tried."""
    settings = patient.catalog.providers[name]
    for rest in rests(patient.status, name):
        yield Finding("warning", name, rest, "it is tried again by itself; what follows is how it is now")
    if settings.kind in OWN_PROCESS:
        before = _own_process(name, settings, patient)
    else:
        before = _reached(name, settings, patient)
    findings, goes_on = await before
    for finding in findings:
        yield finding
    if goes_on:
        async for finding in answering(name, settings, patient):
            yield finding


async def _own_process(name: str, settings: ProviderSettings, patient: Patient) -> tuple[list[Finding], bool]:
    """What it takes to run it, and whether it is to be run."""
    if problem := missing_parts(settings):
        return [Finding("error", name, *problem)], False
    here = Finding("ok", name, "what it takes to run it is here")
    if patient.status is None:
        return [here], True
    return [here, Finding("ok", name, "not called: the nanobot that runs has it loaded")], False


async def _reached(name: str, settings: ProviderSettings, patient: Patient) -> tuple[list[Finding], bool]:
    """The way there and the keys, and whether one of them opens anything."""
    preset = preset_for(name, settings)
    if preset is not None and preset.needs_key and not settings.keys:
        return [Finding("error", name, "has no key", "nanobot init")], False
    way = await connection(name, settings, local=patient.catalog.local(name))
    if way.level == "error":
        return [way], False
    keys = [finding async for finding in key_findings(name, settings)]
    return [way, *keys], any(finding.level != "error" for finding in keys)


async def answering(name: str, settings: ProviderSettings, patient: Patient) -> Findings:
    """Its list, what is known of the models in use, and one call where that costs nothing or was asked for."""
    try:
        live = create(name, settings.with_key(0))
    except ProviderError as error:
        yield _failed(name, error)
        return
    try:
        listed = await _listed(live, _LIST_WITHIN if settings.kind not in OWN_PROCESS else _LOAD_WITHIN)
        if isinstance(listed, ProviderError):
            fix = "is api_base right? It ends where /models and /chat/completions begin, often with /v1"
            yield replace(_failed(name, listed, "its list of models: "), level="warning", fix=fix)
            listed = ()
        catalog = patient.catalog.listing(name, listed) if listed else patient.catalog
        for model in used_models(catalog, name):
            for finding in about_model(catalog, Route(name, model), listed):
                yield finding
        model = catalog.default_model(name)
        if patient.calls or catalog.free(name) or settings.kind in OWN_PROCESS:
            if model:
                yield await called(live, catalog.info(Route(name, model)))
        else:
            text = "not called, since that may cost money; `nanobot doctor --calls` does"
            yield Finding("ok", name, text)
    finally:
        await live.aclose()


def missing_parts(settings: ProviderSettings) -> tuple[str, str] | None:
    """What is wrong, and what to do, where nanobot runs the model itself."""
    if settings.kind == "starter":
        lacking = starter.missing()
        return (
            (f"the built-in model is not installed ({lacking})", "nanobot local install") if lacking else None
        )
    problem = gguf.problem(Path(settings.gguf)) if settings.gguf else "no model's file is named"
    if problem:
        return problem, "nanobot init, and choose a model"
    lacking = llama.missing()
    return (lacking, "nanobot local install") if lacking else None


def rests(status: Mapping[str, object] | None, name: str) -> list[str]:
    """What the bot that runs says of a provider that it passes over now."""
    shown = []
    rows = (status or {}).get("providers")
    for row in rows if isinstance(rows, list) else ():
        if row.get("name") == name:
            for rest in row.get("rests", ()):
                until = rest.get("until")
                when = f" until {notices.clock(until, time.time())}" if until else ""
                shown.append(f"{rest.get('name')} {rest.get('reason')}; it rests{when}")
    return shown


# What it lets us do


async def key_findings(name: str, settings: ProviderSettings) -> Findings:
    """Each of its keys, or that it needs none."""
    keys = [key.get_secret_value() for key in settings.keys] or [""]
    for number, key in enumerate(keys, 1):
        verdict = await check_key(name, settings, key)
        which = f"key {number} of {len(keys)}: " if len(keys) > 1 else ""
        text = which + verdict.text if key else verdict.text.replace("accepts the key", "asks for no key")
        if verdict.state == "ok":
            yield Finding("ok", name, text)
        elif verdict.state == "refused":
            yield Finding("error", name, text, _FIXES[errors.Denied] if key else "add its key: nanobot init")
        else:
            yield Finding("warning", name, text, _FIXES[errors.ServerError])


async def _listed(live: Provider, seconds: float) -> Sequence[ModelInfo] | ProviderError:
    """Its models. A server that is loading is waited for if it was given more time than a list takes: it is ours."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await live.models()
                except errors.Loading:
                    if seconds <= _LIST_WITHIN:
                        raise
                    await asyncio.sleep(0.5)
    except TimeoutError:
        return errors.Stalled(f"not told within {seconds:.0f} s")
    except ProviderError as error:
        return error


def used_models(catalog: Catalog, name: str) -> list[str]:
    """The models of a provider that some role may come to."""
    models = ModelClient(catalog)
    routes = (candidate.route for role in ROLES for candidate in models.candidates(role))
    own = (route.model for route in routes if route.provider == name and route.model)
    return list(dict.fromkeys(own))


def about_model(catalog: Catalog, route: Route, listed: Sequence[ModelInfo]) -> list[Finding]:
    """Whether the provider knows a model, and what we know of it."""
    name, info = route.provider, catalog.info(route)
    ids = [model.id for model in listed]
    # An alias may be listed by the dated name of what it stands for only.
    if ids and not any(id_ == route.model or id_.startswith(f"{route.model}-") for id_ in ids):
        near = nearest(route.model, ids)
        fix = f"did you mean {near}?" if near else _FIXES[errors.UnknownModel]
        return [Finding("warning", name, f"doesn't list the model {route.model}", fix)]
    window = f"{info.context_window} tokens" if info.context_window else "an unknown number of tokens"
    tools = {True: "uses tools", False: "uses no tools", None: "may or may not use tools"}[info.tools]
    known = f"{route.model}: window of {window}, {tools}, {info.tier}"
    if info.tiny:
        return [Finding("ok", name, known)]
    if info.context_window and info.context_window < _NARROW:
        fix = f"give it more, {_NARROW} at least; long conversations are cut short before"
        return [Finding("warning", name, known, fix)]
    if info.tools is False:
        return [Finding("warning", name, known, _FIXES[errors.NoToolSupport])]
    return [Finding("ok", name, known)]


async def called(live: Provider, info: ModelInfo) -> Finding:
    """One short call, with a tool to be used by models that can."""
    tools = () if info.tiny or info.tools is False else (_TOOL,)
    question = _QUESTION if tools else Message("user", "Say hello.")
    request = ChatRequest((question,), tools, max_tokens=_ANSWER, timeout=_CALL_WITHIN)
    if info.tiny:
        request = replace(request, brief=(question,))
    began = time.monotonic()
    try:
        async with asyncio.timeout(_CALL_WITHIN):
            done = await _completion(live, info.id, request)
    except ProviderError as error:
        return _failed(live.name, error, f"calling {info.id}: ")
    except TimeoutError:
        text = f"{info.id} gave no answer within {_CALL_WITHIN:.0f} s"
        return Finding("warning", live.name, text, "a smaller model answers sooner")
    took = f"in {time.monotonic() - began:.1f} s"
    if not tools:
        return Finding("ok", live.name, f"{info.id} answered {took}")
    if done.message.tool_calls:
        return Finding("ok", live.name, f"{info.id} called a tool {took}")
    if done.finish == "length":
        return Finding("ok", live.name, f"{info.id} answers, but thought longer than it was let ({took})")
    text = f"{info.id} answered {took}, but did not call the tool that it was told to"
    return Finding("warning", live.name, text, _FIXES[errors.NoToolSupport])


async def _completion(live: Provider, model: str, request: ChatRequest) -> Completion:
    async with aclosing(live.stream(model, request)) as events:
        async for event in events:
            if isinstance(event, Completion):
                return event
    raise errors.Empty


def _failed(name: str, error: ProviderError, about: str = "") -> Finding:
    detail = f" ({error.detail})" if error.detail and error.detail != error.summary else ""
    text = f"{about}{error.summary}{detail}"
    passing = isinstance(error, errors.RateLimited | errors.Loading | errors.Overloaded)
    fix = next((fix for kind, fix in _FIXES.items() if isinstance(error, kind)), _OTHERWISE)
    return Finding("warning" if passing else "error", name, text, fix)
