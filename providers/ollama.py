"""What keeps an Ollama server from cutting a conversation without a word.

Its `/v1` drops the oldest messages of a prompt that exceeds the model's window, answers the rest, and takes no
parameter for the window (Ollama's documentation and source, August 2026). So the window is looked up and the prompt
measured before anything is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from providers import local
from providers.errors import Misconfigured, ProviderError, TooLong, UnknownModel
from providers.types import ChatRequest

PORT = 11434
LOADS_WITHIN = 300.0
"""Seconds that loading a model may take; Ollama itself gives up after as long."""
USUAL_ANSWER = 256
"""Tokens kept free for the answer where the request sets no limit."""
PER_MESSAGE = 8
PER_IMAGE = 1_600

_RUNS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]|[ \t]+|[\x00-\x7f]|[^\x00-\x7f]")
_LONG_RUN = 16
"""Letters in a row that are still a word; more are encoded data, which takes more tokens."""


class Guard:
    """`on` says whether the server at `root` is an Ollama; set it once that is known."""

    def __init__(self, ask: local.Ask, load: local.Ask, root: str, *, on: bool) -> None:
        self.on = on
        self._ask = ask
        self._load = load
        self._root = root

    async def check(self, model: str, request: ChatRequest) -> None:
        """Raises `TooLong` where the model's window might not hold the request and its answer."""
        if not self.on:
            return
        needed = most_tokens(request)
        try:
            window = await self._loaded_window(model)
            if window is None and not _fits(needed, request, local.OLLAMA_WINDOW):
                # Only what is loaded has a window that is known: it depends on the machine and its settings.
                await self._load(f"{self._root}/api/generate", {"model": model, "stream": False})
                window = await self._loaded_window(model)
            window = window or await self._unloaded_window(model)
        except Misconfigured:
            self.on = False  # no page of that name: another server at Ollama's address
            return
        if not _fits(needed, request, window):
            raise TooLong(
                f"Ollama gives it a window of {window} tokens and would silently drop what exceeds that; "
                "OLLAMA_CONTEXT_LENGTH makes it larger"
            )

    async def _loaded_window(self, model: str) -> int | None:
        """The window that the model runs with now; None where it is not loaded or Ollama is too old to tell."""
        body = await self._ask(f"{self._root}/api/ps")
        running = body.get("models") if isinstance(body, Mapping) else None
        for entry in running if isinstance(running, list) else ():
            if isinstance(entry, Mapping) and model in (entry.get("name"), entry.get("model")):
                window = entry.get("context_length")
                return window if isinstance(window, int) and window > 0 else None
        return None

    async def _unloaded_window(self, model: str) -> int:
        try:
            shown = await self._ask(f"{self._root}/api/show", {"model": model})
        except UnknownModel:
            raise
        except ProviderError:
            return local.OLLAMA_WINDOW
        return local.set_window(shown) or local.OLLAMA_WINDOW


def most_tokens(request: ChatRequest) -> int:
    """About as many tokens as any usual tokenizer makes of a request: rather too many than too few."""
    texts = [message.content for message in request.messages]
    texts += [call.name + _json(call.arguments) for m in request.messages for call in m.tool_calls]
    texts += [_json(block) for m in request.messages if m.thoughts for block in m.thoughts.blocks]
    texts += [tool.name + tool.description + _json(tool.parameters) for tool in request.tools]
    images = sum(len(message.images) for message in request.messages)
    extra = (len(request.messages) + len(request.tools)) * PER_MESSAGE + images * PER_IMAGE
    return _tokens(texts) + extra


def _fits(needed: int, request: ChatRequest, window: int) -> bool:
    return needed + min(request.max_tokens or USUAL_ANSWER, window // 4) <= window


def _tokens(texts: Iterable[str]) -> int:
    return int(sum(_weight(run) for text in texts for run in _RUNS.findall(text)))


def _weight(run: str) -> float:
    """Tokens of a word, a digit, white space, a sign or a character of another script."""
    first = run[0]
    if first.isascii() and first.isalpha():
        return max(1.0, len(run) / (3.0 if len(run) <= _LONG_RUN else 1.5))
    if first in " \t":
        return 0.0 if len(run) == 1 else 1.0
    if first.isascii():
        return 1.0 if first.isdigit() else 0.7
    return 1.0 if first <= "\uffff" else 4.0


def _json(value: object) -> str:
    return json.dumps(value, default=str)
