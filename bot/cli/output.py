"""How text reaches a person's eye: Markdown drawn by rich on a terminal, as it is anywhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters other than tab and line feed: what a model writes must not steer the terminal."""


def harmless(text: str) -> str:
    """`text` without what a terminal would obey instead of showing."""
    return _CONTROLS.sub("", text)


def markdown(text: str) -> RenderableType:
    """`text` drawn as Markdown. Links show their address, since not every terminal can hide it behind the words."""
    from rich.markdown import Markdown  # noqa: PLC0415 -- its parser costs a tenth of a second

    drawn = Markdown(harmless(text), code_theme="ansi_dark", hyperlinks=False)
    for token in drawn.parsed:
        for child in token.children or ():
            # In a chat a new line is meant as one, as every messenger has it.
            if child.type == "softbreak":
                child.type = "hardbreak"
    return drawn


def print_answer(text: str, stream: TextIO) -> None:
    """Markdown, drawn if `stream` is a terminal."""
    if stream.isatty():
        from rich.console import Console  # noqa: PLC0415 -- as above

        Console(file=stream).print(markdown(text))
    else:
        print(text, file=stream)


def tail(text: str, most: int) -> str:
    """About the last `most` characters of a Markdown text, from a paragraph's or a line's beginning.

    Drawing takes its time, and of a long text only the end is seen. A code block that was cut is opened again.
    """
    if len(text) <= most:
        return text
    start = len(text) - most
    breaks = (text.find(mark, start) + len(mark) for mark in ("\n\n", "\n") if mark in text[start:])
    cut = next(breaks, start)
    fences = sum(line.lstrip().startswith("```") for line in text[:cut].splitlines())
    return ("```\n" if fences % 2 else "") + text[cut:]


class Sketch:
    """The end of a text that still grows, as lines of a terminal: what fits there, drawn again only when it changed."""

    def __init__(self, console: Console, size: Callable[[], tuple[int, int]]) -> None:
        self._console = console
        self._size = size
        self._drawn: tuple[str, int, int] = ("", 0, 0)
        self._lines = ""

    def draw(self, text: str, reserved: int) -> str:
        """The last lines with their escape codes, `reserved` lines of the window left to others; "" for no text."""
        width, height = self._size()
        if not text:
            return ""
        key = (text, width, height - reserved)
        if key != self._drawn:
            self._drawn = key
            self._lines = "\n".join(
                self._all(tail(text, width * height), width)[-max(1, height - reserved) :]
            )
        return self._lines

    def _all(self, text: str, width: int) -> list[str]:
        from rich.console import Console  # noqa: PLC0415 -- as above

        page = StringIO()
        Console(
            file=page,
            width=max(10, width - 1),
            force_terminal=True,
            color_system=self._console.color_system,  # type: ignore[arg-type] # given back as a plain str
            no_color=self._console.no_color,
        ).print(markdown(text))
        return page.getvalue().rstrip("\n").split("\n")
