"""The servers that this fake can pass for: what each answers besides chat, where that tells it from others.

Shapes: llama-server as seen on the wire (build of October 2026); the others after their documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.llm import errors
from tests.fakes.llm.http11 import Request
from tests.fakes.llm.replies import HTML, Json

Kind = Literal["openai", "openrouter", "llama-server", "ollama", "lm-studio", "vllm", "website"]

Want = Literal[
    "short ids", "no user after tool", "reasoning back", "call signature", "no images", "no token budget"
]
"""In turn: Mistral, its older models, DeepSeek, Gemini 3, any model that is blind, Claude from 4.7 on."""

_SERVER = {"llama-server": "llama.cpp", "vllm": "uvicorn", "website": "nginx"}


@dataclass(frozen=True)
class Setup:
    """Which server this is. `prefix` is the path of its OpenAI-compatible API."""

    kind: Kind = "openai"
    models: tuple[str, ...] = ("fake-1",)
    key: str = ""
    """What the bearer must be; empty: no key is asked for."""
    prefix: str = "/v1"
    n_ctx: int = 8192
    """The window that it states, in tokens."""
    tools: bool = True
    """Whether it says that its model knows tools."""
    strict: bool = True
    """Refuse what real servers refuse: unknown models, orphaned tool results, cut arguments in history."""
    wants: tuple[Want, ...] = ()
    """What models of single vendors refuse besides, in their words (`tests.fakes.llm.checks`)."""
    window_enforced: bool = False
    """Refuse prompts of more than `n_ctx` tokens (as estimated) the way this kind of server does."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json | bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def server_headers(kind: Kind) -> dict[str, str]:
    name = _SERVER.get(kind)
    return {"server": name} if name else {}


def closes_after_stream(kind: Kind) -> bool:
    """llama-server announces keep-alive and closes the connection after every stream all the same."""
    return kind == "llama-server"


def is_public(setup: Setup, path: str) -> bool:
    """Paths that need no key."""
    return path in ("/health", "/v1/health", "/login", "/") or setup.kind == "website"


def answer(setup: Setup, request: Request) -> Answer:
    """The answer to everything that is no chat."""
    if request.path == "/login":
        return _page("Sign in")
    if setup.kind == "website":
        return _page("It works!")
    found = _ROUTES.get(setup.kind, {}).get((request.method, request.path))
    if found is None and (request.method, request.path) == ("GET", f"{setup.prefix}/models"):
        found = _models
    return found(setup, request) if found else not_found(setup, request)


def loading() -> Answer:
    """llama-server while it loads its model, on every path."""
    return Answer(503, errors.llama(503, "unavailable_error", "Loading model"))


def denied(setup: Setup, given: str) -> Answer:
    """The answer to a wrong or missing key."""
    if setup.kind == "llama-server":
        return Answer(401, errors.llama(401, "authentication_error", "Invalid API Key"))
    if setup.kind == "openrouter":
        text = "No cookie auth credentials found" if given else "Missing Authentication header"
        return Answer(401, {"error": {"message": text, "code": 401}})
    if setup.kind == "vllm":
        return Answer(401, {"error": "Unauthorized"})
    text = f"Incorrect API key provided: {given[:3]}***." if given else "You didn't provide an API key."
    return Answer(401, errors.openai(text, "invalid_request_error", "invalid_api_key"))


def unknown_model(setup: Setup, model: str) -> Answer:
    if setup.kind == "ollama":
        return Answer(
            404, errors.openai(f'model "{model}" not found, try pulling it first', "not_found_error")
        )
    if setup.kind == "openrouter":
        return Answer(400, errors.openrouter(400, f"{model} is not a valid model ID"))
    if setup.kind == "vllm":
        return Answer(404, errors.openai(f"The model `{model}` does not exist.", "NotFoundError", 404))
    text = f"The model `{model}` does not exist or you do not have access to it."
    return Answer(404, errors.openai(text, "invalid_request_error", "model_not_found"))


def too_long(setup: Setup, tokens: int) -> Answer:
    """The prompt doesn't fit; see also Ollama, which drops the oldest messages and says nothing."""
    if setup.kind == "llama-server":
        text = f"request ({tokens} tokens) exceeds the available context size ({setup.n_ctx} tokens)"
        numbers = {"n_prompt_tokens": tokens, "n_ctx": setup.n_ctx}
        return Answer(400, errors.llama(400, "exceed_context_size_error", text, **numbers))
    text = f"This model's maximum context length is {setup.n_ctx} tokens. Your messages have {tokens} tokens."
    return Answer(400, errors.openai(text, "invalid_request_error", "context_length_exceeded"))


def bad_request(setup: Setup, message: str, status: int = 400) -> Answer:
    if setup.kind == "llama-server":
        return Answer(
            status,
            errors.llama(status, "server_error" if status == 500 else "invalid_request_error", message),
        )
    return Answer(status, errors.openai(message, "invalid_request_error"))


def not_found(setup: Setup, request: Request) -> Answer:
    if setup.kind == "llama-server":
        return Answer(404, errors.llama(404, "not_found_error", "File Not Found"))
    if setup.kind == "ollama":
        return Answer(404, "404 page not found", "text/plain; charset=utf-8")
    if setup.kind == "lm-studio":
        # It answers 200 to what it doesn't know.
        return Answer(200, errors.text(f"Unexpected endpoint or method. ({request.method} {request.path})"))
    if setup.kind == "vllm":
        return Answer(404, errors.detail("Not Found"))
    text = f"Invalid URL ({request.method} {request.path})"
    return Answer(404, errors.openai(text, "invalid_request_error", "unknown_url"))


def _page(title: str) -> Answer:
    return Answer(200, HTML.format(title=title), "text/html; charset=utf-8")


def _models(setup: Setup, request: Request) -> Answer:
    owner = {"ollama": "library", "lm-studio": "organization_owner", "vllm": "vllm"}.get(setup.kind, "fake")
    rows: list[dict[str, Any]] = [
        {"id": model, "object": "model", "created": 1_760_000_000, "owned_by": owner}
        for model in setup.models
    ]
    if setup.kind == "vllm":
        rows = [row | {"root": row["id"], "parent": None, "max_model_len": setup.n_ctx} for row in rows]
    return Answer(200, {"object": "list", "data": rows})


def _llama_models(setup: Setup, request: Request) -> Answer:
    # Beside OpenAI's list there is one in Ollama's manner: `models` alone doesn't tell who this is.
    name = setup.models[0]
    meta = {
        "vocab_type": 1,
        "n_vocab": 262144,
        "n_ctx": setup.n_ctx,
        "n_ctx_train": 32768,
        "n_params": 268098176,
    }
    row = {"id": name, "aliases": [name], "object": "model", "created": 1_760_000_000, "owned_by": "llamacpp"}
    beside = {"name": name, "model": name, "type": "model", "capabilities": ["completion"], "details": {}}
    return Answer(200, {"models": [beside], "object": "list", "data": [row | {"meta": meta}]})


def _llama_props(setup: Setup, request: Request) -> Answer:
    caps = {
        "supports_parallel_tool_calls": False,
        "supports_string_content": True,
        "supports_system_role": True,
        "supports_tool_calls": setup.tools,
        "supports_tools": setup.tools,
        "supports_typed_content": False,
    }
    body = {
        "default_generation_settings": {"n_ctx": setup.n_ctx, "params": {"temperature": 0.8}},
        "total_slots": 1,
        "model_alias": setup.models[0],
        "model_path": f"/models/{setup.models[0]}.gguf",
        "modalities": {"vision": False, "video": False, "audio": False},
        "chat_template": "{{ messages }}",
        "chat_template_caps": caps,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "build_info": "b0-unknown",
        "is_sleeping": False,
    }
    return Answer(200, body)


def _capabilities(setup: Setup) -> list[str]:
    return ["completion", "tools"] if setup.tools else ["completion"]


def _ollama_tags(setup: Setup, request: Request) -> Answer:
    details = {"format": "gguf", "family": "llama", "parameter_size": "3B", "quantization_level": "Q4_K_M"}
    rows = [
        {
            "name": model,
            "model": model,
            "modified_at": "2026-10-01T10:00:00Z",
            "size": 2_000_000_000,
            "details": details,
        }
        for model in setup.models
    ]
    return Answer(200, {"models": rows})


def _ollama_show(setup: Setup, request: Request) -> Answer:
    try:
        asked = json.loads(request.body)
    except ValueError:
        return Answer(400, errors.text("invalid request body"))
    name = asked.get("model") or asked.get("name")
    if name not in setup.models:
        return Answer(404, errors.text(f"model '{name}' not found"))
    # The trained maximum; what is really used is n_ctx and stands in /api/ps.
    info = {"general.architecture": "llama", "llama.context_length": 131_072}
    body = {"details": {"family": "llama"}, "model_info": info, "capabilities": _capabilities(setup)}
    return Answer(200, body)


def _ollama_ps(setup: Setup, request: Request) -> Answer:
    rows = [{"name": setup.models[0], "model": setup.models[0], "context_length": setup.n_ctx}]
    return Answer(200, {"models": rows})


def _lm_studio_models(setup: Setup, request: Request) -> Answer:
    rows = [
        {
            "type": "llm",
            "key": model,
            "display_name": model,
            "loaded_instances": [{"id": model, "config": {"context_length": setup.n_ctx}}],
            "max_context_length": 131_072,
            "format": "gguf",
            "capabilities": {"vision": False, "trained_for_tool_use": setup.tools},
        }
        for model in setup.models
    ]
    return Answer(200, {"models": rows})


def _openrouter_models(setup: Setup, request: Request) -> Answer:
    parameters = ["max_tokens", "temperature", *(["tools", "tool_choice"] if setup.tools else [])]
    rows = [
        {
            "id": model,
            "name": model,
            "created": 1_760_000_000,
            "context_length": setup.n_ctx,
            "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
            "pricing": {"prompt": price, "completion": price, "request": "0"},
            "top_provider": {
                "context_length": setup.n_ctx,
                "max_completion_tokens": None,
                "is_moderated": False,
            },
            "supported_parameters": parameters,
            "expiration_date": None,
        }
        for model in setup.models
        for price in ["0" if model.endswith(":free") else "0.0000003"]
    ]
    return Answer(200, {"data": rows, "total_count": len(rows)})


def _said(text: str, content_type: str = "text/plain; charset=utf-8") -> _Route:
    return lambda setup, request: Answer(200, text, content_type)


_Route = Callable[[Setup, Request], Answer]

_HEALTHY = _said('{"status":"ok"}', "application/json; charset=utf-8")

_ROUTES: dict[Kind, dict[tuple[str, str], _Route]] = {
    "openai": {("GET", "/health"): _said("ok")},
    "openrouter": {("GET", "/api/v1/models"): _openrouter_models, ("GET", "/v1/models"): _openrouter_models},
    "llama-server": {
        ("GET", "/health"): _HEALTHY,
        ("GET", "/v1/health"): _HEALTHY,
        ("GET", "/props"): _llama_props,
        ("GET", "/models"): _llama_models,
        ("GET", "/v1/models"): _llama_models,
    },
    "ollama": {
        ("GET", "/"): _said("Ollama is running"),
        ("HEAD", "/"): _said(""),
        ("GET", "/api/version"): _said('{"version":"0.15.2"}', "application/json; charset=utf-8"),
        ("GET", "/api/tags"): _ollama_tags,
        ("GET", "/api/ps"): _ollama_ps,
        ("POST", "/api/show"): _ollama_show,
    },
    "lm-studio": {("GET", "/api/v1/models"): _lm_studio_models},
    "vllm": {
        ("GET", "/health"): _said("", "text/plain"),
        ("GET", "/version"): _said('{"version":"0.14.1"}', "application/json"),
    },
}
