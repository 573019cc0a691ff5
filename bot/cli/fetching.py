"""The question which model to fetch for this machine, by the memory that is free."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bot.cli.asking import Ask
from bot.download import gigabytes
from bot.errors import BotError
from bot.local_models import MODELS, LocalModel, choices

Fetch = Callable[[LocalModel], Awaitable[Path]]


async def local_model(ask: Ask, memory: int | None, fetch: Fetch) -> Path | None:
    """The file of the model that the person chooses; None where none was, or could be had.

    `memory` is what it may take, in bytes; None where nobody knows.
    """
    fitting = choices(memory)
    print("\n".join(offer(fitting, memory)))
    chosen = await _chosen(fitting, ask) if fitting else None
    if chosen is None:
        return None
    try:
        return await fetch(chosen)
    except BotError as error:
        print(f"  {error}")
        return None


def offer(fitting: Sequence[LocalModel], memory: int | None) -> list[str]:
    """What there is to choose from, or why there is nothing."""
    free = "" if memory is None else f"{gigabytes(memory)} of memory are available here"
    if not fitting:
        least = min(MODELS, key=lambda model: model.memory)
        needs = f"the smallest of the list, {least.title}, takes {gigabytes(least.memory)}"
        return [f"  {free}, and {needs}; a smaller one of your own may do (4)."]
    rows = (
        f"{model.title}: {gigabytes(model.size)} to fetch, {gigabytes(model.memory)} of memory; {model.note}"
        for model in fitting
    )
    return [
        *([f"{free}; these fit:"] if free else []),
        *(f"  {number}  {row}" for number, row in enumerate(rows, 1)),
    ]


async def _chosen(fitting: Sequence[LocalModel], ask: Ask) -> LocalModel | None:
    while True:
        said = (await ask("Which one, or no [1]: ")).strip().lower() or "1"
        if said in {"n", "no", "none"}:
            return None
        if said.isascii() and said.isdecimal() and 0 < int(said) <= len(fitting):
            return fitting[int(said) - 1]
        print(f'Please type a number from 1 to {len(fitting)}, or "no".')
