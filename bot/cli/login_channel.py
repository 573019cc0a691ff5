"""`nanobot login whatsapp`: an account for a channel that has to be linked by the person at the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bot import plugins
from bot.cli.options import Options
from bot.errors import BotError
from channels.base import ChannelSpec, Host
from channels.errors import ChannelError

_FOLDER = "channels.adapters"


def channels() -> list[str]:
    """Every kind of channel, whether or not it has anything to link."""
    return plugins.names(_FOLDER)


async def login_channel(
    options: Options, kind: str, number: str = "", say: Callable[[str], None] | None = None
) -> None:
    """Link an account for the configured channel of this kind. Raises BotError."""
    say = say or partial(print, flush=True)  # the person waits on what it says
    spec = plugins.load(_FOLDER, kind, ChannelSpec)
    if spec.login is None:
        raise BotError(f"{kind} has nothing to link; all it needs stands in [channels.{kind}]")
    settings = options.load().config.channels.get(kind)
    if settings is None:
        raise BotError(f"{options.config_file}: has no [channels.{kind}]; add it, then link the account")
    host = Host((), _NoNotes(), options.data_folder / "channels" / kind, say)
    try:
        await spec.login(settings, host, say, number)
    except ChannelError as error:
        raise BotError(f"{kind}: {error}") from error
    except OSError as error:
        raise BotError(f"{kind}: {error.filename or host.folder}: {error.strerror or error}") from error


class _NoNotes:
    """The daemon's database may be in use by the daemon; linking an account needs none of it."""

    async def load(self, _key: str) -> dict[str, Any] | None:
        return None

    async def save(self, key: str, _value: Mapping[str, Any]) -> None:
        raise ChannelError(f"{key} can't be kept while an account is linked")

    async def delete(self, _key: str) -> None:
        """Nothing is there."""
