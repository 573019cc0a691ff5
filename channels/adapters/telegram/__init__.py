"""Telegram: private chats, groups and forum topics, through the Bot API's long polling or a webhook."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from channels.adapters.telegram.settings import PERSON, TelegramSettings
from channels.base import Channel, ChannelSpec, Examined, Host

# Reading a configuration needs the settings only; the Telegram library takes a tenth of a second.


def _create(settings: TelegramSettings, host: Host) -> Channel:
    from channels.adapters.telegram.channel import TelegramChannel  # noqa: PLC0415 -- see above

    return TelegramChannel(settings, host)


async def _examine(settings: TelegramSettings, host: Host) -> AsyncGenerator[Examined, None]:
    from channels.adapters.telegram.examine import examined  # noqa: PLC0415 -- see above

    async for found in examined(settings, host):
        yield found


SPEC = ChannelSpec(
    kind="telegram", settings=TelegramSettings, create=_create, person=PERSON, examine=_examine
)
