"""`nanobot chat` on a terminal: a prompt below, what nanobot says above it, and between them the answer as it grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples, to_formatted_text
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style
from rich.console import Console, RenderableType
from rich.text import Text

from bot.cli.client import Attached, Client, Event, Idle, Message, Preview
from bot.cli.output import Sketch, harmless, markdown
from bot.errors import BotError, NotRunning

PROMPT = "❯ "  # noqa: RUF001 -- the prompt's own arrow
_TWICE_SECONDS = 2.0
_REDRAW_SECONDS = 0.1
_BELOW = 5
"""Lines of the window that a growing answer leaves to the prompt, the hint below it, and some air."""
_WHILE_IDLE = ("Enter sends", "Ctrl-D leaves", "Alt-Enter new line", "/ commands")
_WHILE_BUSY = ("answering", "Ctrl-C stops it", "what you send now is taken into account")
_STYLE = Style.from_dict({"bottom-toolbar": "noreverse ansibrightblack", "prompt": "ansicyan bold"})


@dataclass(frozen=True, slots=True)
class Patience:
    """With a bot that went away: seconds between two looks for it, and until the chat gives up."""

    retry: float = 0.5
    most: float = 120.0


@dataclass(slots=True)
class Interrupts:
    """What Ctrl-C means: stop the answer, empty the line, and pressed twice within two seconds, leave."""

    _last: float = float("-inf")

    def press(self, now: float, *, busy: bool, typed: bool) -> Literal["stop", "clear", "hint", "leave"]:
        again = now - self._last < _TWICE_SECONDS
        self._last = now
        if again:
            return "leave"
        return "clear" if typed else "stop" if busy else "hint"

    def hinting(self, now: float) -> bool:
        """Whether the next one would leave."""
        return now - self._last < _TWICE_SECONDS


class Commands(Completer):
    """Completes the slash commands."""

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterator[Completion]:
        typed = document.text
        if typed.startswith("/") and " " not in typed and "\n" not in typed:
            # In its own thread, as the first one loads half the bot: a chat that only is a client does without.
            from bot.gateway.commands import MENU  # noqa: PLC0415 -- see above

            for command in MENU:
                if command.name.startswith(typed[1:].lower()):
                    yield Completion(f"/{command.name}", -len(typed), display_meta=command.help)


class Chat:
    """One conversation at a terminal. `history` keeps what was typed; `console` writes above the prompt."""

    def __init__(
        self, client: Client, console: Console, history: History, patience: Patience | None = None
    ) -> None:
        self._client = client
        self._console = console
        self._patience = patience or Patience()
        self._interrupts = Interrupts()
        self._unsent: asyncio.Queue[str] = asyncio.Queue()
        self._busy = False
        self._lost = False
        self._growing = ""
        self._sketch = Sketch(console, _window)
        self._session: PromptSession[str] = PromptSession(
            message=self._message,
            multiline=True,
            history=history,
            completer=ThreadedCompleter(Commands()),
            complete_while_typing=Condition(lambda: get_app().current_buffer.text.startswith("/")),
            reserve_space_for_menu=6,
            prompt_continuation="  ",
            bottom_toolbar=self._hint,
            style=_STYLE,
        )
        self._session.app.min_redraw_interval = _REDRAW_SECONDS

    async def run(self) -> None:
        """Talk until the user leaves. Raises BotError when nanobot stays away."""
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._listen()), group.create_task(self._send())]
            try:
                await self._prompt(group)
            finally:
                for helper in helpers:
                    helper.cancel()
        if self._busy and not self._interrupts.hinting(time.monotonic()):
            self._console.print(_dim("The answer will be here when you come back."))

    async def _prompt(self, group: asyncio.TaskGroup) -> None:
        # Nothing is awaited between two prompts: in between, the terminal itself would take Ctrl-C.
        keys = self._keys(group)
        while True:
            try:
                text = await self._session.prompt_async(key_bindings=keys)
            except EOFError:
                return
            if text.strip():
                self._console.print()
                self._unsent.put_nowait(text.strip())

    async def _send(self) -> None:
        while True:
            text = await self._unsent.get()
            try:
                await self._client.say(text)
            except BotError as error:
                await self._show(_dim(f"Not sent: {error}"))
                if not self._session.default_buffer.text and not text.startswith("/"):
                    self._session.default_buffer.text = text
            else:
                self._busy = self._busy or not text.startswith("/")
                self._session.app.invalidate()

    async def _fade(self) -> None:
        """Take the hint away that the next Ctrl-C leaves, once it wouldn't."""
        await asyncio.sleep(_TWICE_SECONDS)
        self._session.app.invalidate()

    async def _listen(self) -> None:
        """Show what comes, and come back when nanobot was away."""
        gone_at = time.monotonic()
        while True:
            try:
                async with aclosing(self._client.events()) as events:
                    async for event in events:
                        await self._take(event)
                        gone_at = time.monotonic()
            except NotRunning as error:
                self._busy, self._growing = False, ""
                if time.monotonic() - gone_at > self._patience.most:
                    raise BotError(
                        "nanobot stays away; start it with `nanobot run`, or just `nanobot chat`"
                    ) from error
                if not self._lost:
                    await self._show(_dim("nanobot is away; waiting for it to come back…"))
                self._lost = True
            await asyncio.sleep(self._patience.retry)

    async def _take(self, event: Event) -> None:
        match event:
            case Attached(busy=busy):
                self._busy = busy
                if self._lost:
                    await self._show(_dim("nanobot is back."))
                self._lost = False
            case Preview(text):
                self._busy, self._growing = True, text
            case Message(kind="notice", text=text):
                await self._show(_dim(text))
            case Message(kind, text):
                if kind == "answer":
                    self._growing = ""
                await self._show(markdown(text))
            case Idle():
                self._busy, self._growing = False, ""
        self._session.app.invalidate()

    async def _show(self, what: RenderableType) -> None:
        async with in_terminal():
            self._console.print(what)
            self._console.print()

    def _keys(self, group: asyncio.TaskGroup) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _accept(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter")
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-c")
        @keys.add("<sigint>")
        def _interrupt(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            match self._interrupts.press(time.monotonic(), busy=self._busy, typed=bool(buffer.text)):
                case "leave":
                    event.app.exit(exception=EOFError)
                case "clear":
                    buffer.reset()
                case "stop":
                    self._unsent.put_nowait("/stop")
                case "hint":
                    group.create_task(self._fade())

        return keys

    def _message(self) -> StyleAndTextTuples:
        prompt: StyleAndTextTuples = [("class:prompt", PROMPT)]
        if get_app().is_done:
            # What stays on the screen is the user's line alone: the answer still grows below it.
            return prompt
        growing = self._sketch.draw(self._growing, _BELOW + self._session.default_buffer.document.line_count)
        if not growing:
            return prompt
        return [*to_formatted_text(ANSI(growing)), ("", "\n\n"), *prompt]

    def _hint(self) -> str:
        if self._interrupts.hinting(time.monotonic()):
            return "Ctrl-C again leaves"
        if self._lost:
            return "away"
        return fitting(_WHILE_BUSY if self._busy else _WHILE_IDLE, _window()[0])


def fitting(hints: Sequence[str], columns: int) -> str:
    """As many of the hints, the most important ones first, as fit into a line."""
    shown = hints[0]
    for hint in hints[1:]:
        if len(longer := f"{shown} · {hint}") > columns:
            break
        shown = longer
    return shown


def _window() -> tuple[int, int]:
    size = get_app().output.get_size()
    return size.columns, size.rows


def _dim(text: str) -> Text:
    return Text(harmless(text), style="dim")
