"""Telegram: private chats, groups and forum topics, through the Bot API's long polling."""

from __future__ import annotations

from channels.adapters.telegram.settings import PERSON, TelegramSettings
from channels.base import Channel, ChannelSpec, Host


def _create(settings: TelegramSettings, host: Host) -> Channel:
    # Reading a configuration needs the settings only; the Telegram library takes a tenth of a second.
    from channels.adapters.telegram.channel import TelegramChannel  # noqa: PLC0415

    return TelegramChannel(settings, host)


SPEC = ChannelSpec(kind="telegram", settings=TelegramSettings, create=_create, person=PERSON)
