"""Fits a conversation into a model's window: the oldest turns leave first, and whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from providers.tokens import estimate_tokens
from providers.types import Message, ToolDef

_LEFT_OUT = "({} earlier turns of this conversation are left out here; what they held may be asked for.)"
DEFAULT_WINDOW = 32_768
"""Tokens assumed where nobody says how large a model's window is."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a model gets of a conversation, and how many of the earlier turns are in it."""

    messages: tuple[Message, ...]
    turns: int


def fit(
    system: Message,
    history: Sequence[Sequence[Message]],
    said: Sequence[Message],
    *,
    budget: int,
) -> Fitted:
    """System prompt, as many of the newest turns as `budget` tokens allow, and all of the current one. Where older
    turns are left out, the prompt says so.

    What a person wrote in a row is one message: a question that got no answer goes along with the next, and some
    models' templates refuse two messages of a kind.
    """
    noted = replace(system, content=f"{system.content}\n\n{_LEFT_OUT.format(len(history))}")
    used = estimate_tokens([noted, *said])
    kept: list[Message] = []
    turns = 0
    for turn in reversed(history):
        used += estimate_tokens(turn)
        if used > budget:
            break
        kept[:0] = turn
        turns += 1
    if turns < len(history):
        noted = replace(system, content=f"{system.content}\n\n{_LEFT_OUT.format(len(history) - turns)}")
        return Fitted((noted, *_joined([*kept, *said])), turns)
    return Fitted((system, *_joined([*kept, *said])), turns)


def _joined(messages: Sequence[Message]) -> list[Message]:
    joined: list[Message] = []
    for message in messages:
        if joined and message.role == joined[-1].role == "user":
            text = "\n\n".join(filter(None, (joined[-1].content, message.content)))
            joined[-1] = Message("user", text, images=joined[-1].images + message.images)
        else:
            joined.append(message)
    return joined


def prompt_budget(window: int | None, max_tokens: int, tools: Sequence[ToolDef]) -> int:
    """Tokens for the prompt: the window less the room for an answer and what the tools' descriptions take."""
    whole = window or DEFAULT_WINDOW
    answer = min(max_tokens, whole // 4)
    return max(whole - answer - estimate_tokens((), tools), whole // 4)
