"""The shapes in which providers wrap an error, with their own words; see the vendors' API references."""

from __future__ import annotations

from typing import Any


def openai(message: str, type_: str = "server_error", code: str | int | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "code": code, "param": None}}


def openrouter(
    code: int, message: str, *, beside: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    """`beside` stands in `error` itself, where some versions put `error_type` and `availability`."""
    return {
        "error": {"code": code, "message": message, "metadata": metadata, **(beside or {})},
        "user_id": "user_1",
    }


def anthropic(type_: str, message: str, **details: Any) -> dict[str, Any]:
    inner = {"type": type_, "message": message} | ({"details": details} if details else {})
    return {"type": "error", "error": inner, "request_id": "req_1"}


def text(message: str) -> dict[str, Any]:
    """Ollama's own API, some proxies."""
    return {"error": message}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> list[dict[str, Any]]:
    """Wrapped in a list, as their OpenAI-compatible endpoint does at times."""
    return [{"error": {"code": code, "message": message, "status": status, "details": list(details)}}]


def detail(message: str) -> dict[str, Any]:
    return {"detail": message}


def detail_list(*messages: str) -> dict[str, Any]:
    """FastAPI's validation: Mistral, vLLM."""
    return {
        "detail": [{"loc": ["body", "messages"], "msg": each, "type": "value_error"} for each in messages]
    }


def object_error(message: str, type_: str = "BadRequestError", code: int = 400) -> dict[str, Any]:
    """Old vLLM, Mistral."""
    return {"object": "error", "message": message, "type": type_, "param": None, "code": code}


def message_only(message: str) -> dict[str, Any]:
    """Gateways."""
    return {"message": message}


def zhipu(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def llama(code: int, type_: str, message: str, **more: Any) -> dict[str, Any]:
    """llama-server: `code` is a number."""
    return {"error": {"code": code, "message": message, "type": type_, **more}}


def choice(code: int, message: str, partial: str = "") -> dict[str, Any]:
    """OpenRouter inside a plain 200: the error is a choice's."""
    inner = {
        "finish_reason": "error",
        "error": {"code": code, "message": message},
        "message": {"content": partial},
    }
    return {"id": "gen-1", "object": "chat.completion", "choices": [inner]}


def chunk(code: int, message: str) -> dict[str, Any]:
    """OpenRouter inside a stream: an error beside a choice that finishes with `error`."""
    choices = [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    return {"id": "gen-1", "object": "chat.completion.chunk", "error": {"code": code, "message": message}} | {
        "choices": choices
    }
