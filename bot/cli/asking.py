"""A line from the person at the terminal."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol


class Ask(Protocol):
    """Asks the person at the terminal; returns the line. Raises EOFError, KeyboardInterrupt."""

    def __call__(self, question: str, *, hidden: bool = False) -> Awaitable[str]: ...


async def ask(question: str, *, hidden: bool = False) -> str:
    """Ask at the terminal. Raises EOFError, KeyboardInterrupt."""
    from prompt_toolkit import PromptSession  # noqa: PLC0415 -- only where somebody is asked

    session: PromptSession[str] = PromptSession()
    return await session.prompt_async(question, is_password=hidden)
