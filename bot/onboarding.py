"""What code, not a model, says about the set-up: nothing configured, only the starter model, and how to get better.

A tiny model would invent such answers; here each is a fact about this installation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from providers.types import ModelInfo

STARTER_NOTE = (
    "ℹ️ The small built-in model answered. It can chat a little and use no tools; ask me “how do I get a better "  # noqa: RUF001
    "model?” for a few easy ways up."
)
_FILE = "`~/.config/nanobot/config.toml` (`nanobot check` says where it is read)"
_WAYS = f"""\
1. A key, free or cheap: make one at openrouter.ai/settings/keys, then start me with `OPENROUTER_API_KEY=...` set, or \
put `[providers.openrouter]` with `api_key = "..."` into {_FILE} and restart me. OpenAI, Anthropic, Gemini, Groq, \
Mistral and DeepSeek keys work the same way.
2. A model on this machine: run Ollama, LM Studio, llama-server or vLLM on its usual port; I find it by myself."""
_BETTER = f"Two ways to a better model:\n{_WAYS}"
_NOTHING = f"""\
I have no model to answer with yet. Three ways to one:
{_WAYS}
3. The small built-in model, with neither: `nanobot local install`."""
_SMALL = (
    "I'm nanobot, your assistant on this machine. Right now only my small built-in model (SmolLM2, 135 million "
    "parameters) answers: it chats a little, makes mistakes, and uses no tools."
)
_ITSELF = f"{_SMALL}\n\n{_BETTER}"
_ABLE = f"""\
Not yet. {_SMALL}

With a better model I read and write the files in a folder of my own (the workspace; `nanobot check` names it) and \
tell the time; I see nothing else of this machine.

{_BETTER}"""
_TELEGRAM = f"""\
To reach me on Telegram: write to @BotFather there, send /newbot, and put the token it gives you into \
{_FILE}:
```toml
[channels.telegram]
token = "123456:ABC..."
```
Then start the daemon with `nanobot run` (restart it, if it runs), write to your bot, and let yourself in with the \
code that it answers: `nanobot pair approve CODE`."""
_ALL = frozenset((_BETTER, _NOTHING, _ITSELF, _ABLE, _TELEGRAM))

_ABOUT_MODELS = re.compile(
    r"\b(better|other|another|bigger|smarter|stronger|real|which|what|change|switch|choose|configure|set ?up|install"
    r"|add|use)\b.{0,40}\b(model|models|llm|api|key|keys|provider|ollama|openrouter)\b"
    r"|\b(api[ -]?key|set ?up|configuration|configure)\b",
    re.IGNORECASE,
)
_ABOUT_TELEGRAM = re.compile(r"\btelegram\b", re.IGNORECASE)
_ABOUT_ITSELF = re.compile(
    r"\b(who|what) are you\b|\bwhat can you do\b|\b(what|which) model\b", re.IGNORECASE
)
_ABOUT_ABILITIES = re.compile(
    r"\b(can|could|do|are) you\b.{0,30}\b(files?|folders?|documents?|notes|internet|web|e-?mails?|calendar|tools?"
    r"|remind|remember)\b",
    re.IGNORECASE,
)


def answer(question: str, candidates: Sequence[ModelInfo]) -> str:
    """The answer to a question about the set-up, or "" where a model should give it."""
    if not candidates:
        return _TELEGRAM if _ABOUT_TELEGRAM.search(question) else _NOTHING
    if not all(candidate.tiny for candidate in candidates):
        return ""
    if _ABOUT_TELEGRAM.search(question):
        return _TELEGRAM
    if _ABOUT_ITSELF.search(question):
        return _ITSELF
    if _ABOUT_ABILITIES.search(question):
        return _ABLE
    return _BETTER if _ABOUT_MODELS.search(question) else ""


def is_ours(text: str) -> bool:
    """Whether a message in the history is one of these answers, which a tiny model would only imitate."""
    return text in _ALL
