"""What Nanbeige's models want otherwise than others, whichever server holds them. Pure.

As of version 4.1, by its template and its vendor's card: it thinks before its first word, and where there is no system
message its template writes one in Chinese.
"""

from __future__ import annotations

from dataclasses import replace

from providers.types import ChatRequest, Message

ROOM_TO_THINK = 4096
"""Tokens that an answer may take at least."""


def is_one(name: str) -> bool:
    return "nanbeige" in name.lower()


def suited(model: str, request: ChatRequest) -> ChatRequest:
    """The request as such a model wants it; any other's as it is."""
    if not is_one(model):
        return request
    messages = request.messages
    if not messages or messages[0].role != "system":
        messages = (Message("system", "You are a helpful assistant."), *messages)
    limit = request.max_tokens and max(request.max_tokens, ROOM_TO_THINK)
    return replace(request, messages=messages, max_tokens=limit)


def sampling(name: str) -> dict[str, object]:
    """How its vendor wants answers drawn, as options of `providers.llama_server`; of others nothing."""
    return {"--temperature": 0.6, "--top-p": 0.95} if is_one(name) else {}
