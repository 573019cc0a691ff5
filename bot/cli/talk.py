"""`nanobot chat` from the command line's side: which bot it talks to, how it greets, where it keeps its history."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from bot import paths
from bot.cli.client import Client
from bot.cli.firstrun import ready
from bot.cli.options import Options
from bot.cli.output import print_answer
from bot.cli.reach import complain, reaching
from bot.errors import BotError

if TYPE_CHECKING:
    from prompt_toolkit.history import History


async def question(options: Options, text: str) -> int:
    """One question and its answer; returns the exit code. `-` reads the question from standard input."""
    from bot.cli.once import ask  # noqa: PLC0415 -- so that a chat doesn't load it

    text = sys.stdin.read() if text == "-" else text
    if not text.strip():
        raise BotError("there is nothing to ask; put the question after -m, or into standard input with -m -")
    async with reaching(options, talking=True) as client:
        await _mention_config(options, client)
        return await ask(client, text.strip(), lambda answer: print_answer(answer, sys.stdout), complain)


async def conversation(options: Options) -> None:
    """Talk until the user leaves; without a bot that runs, one in this process."""
    from rich.console import Console  # noqa: PLC0415 -- only a conversation draws

    from bot.cli.chat import Chat  # noqa: PLC0415 -- prompt_toolkit, which nothing else needs

    loaded = await ready(options)
    for line in loaded.notices if loaded else ():
        complain(line)
    console = Console()
    async with reaching(options, loaded=loaded, talking=True, drawing=True) as client:
        await _mention_config(options, client)
        console.print(greeting(await client.status()), style="dim", highlight=False, markup=False)
        console.print()
        await Chat(client, console, _history(options)).run()


def greeting(status: dict[str, Any]) -> str:
    """The first line of a conversation: who answers, and why that one."""
    routes = status.get("models", {}).get("reasoning") or []
    model = routes[0] if routes else "no model"
    choice = f" ({status['choice']})" if status.get("choice") else ""
    return f"nanobot {status.get('version', '')} · {model}{choice}"


async def _mention_config(options: Options, client: Client) -> None:
    """A bot that runs already has its configuration."""
    if options.config is None:
        return
    used = (await client.status()).get("config")
    if used != str(paths.named_config(options.config, options.env)):
        complain(
            f"note: the nanobot that runs uses {used or 'no configuration file'}; --config changes nothing"
        )


def _history(options: Options) -> History:
    from prompt_toolkit.history import FileHistory, InMemoryHistory  # noqa: PLC0415 -- as above

    file = options.data_folder / "chat_history"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))
