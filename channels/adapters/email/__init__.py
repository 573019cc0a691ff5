"""Email: tasks by mail, answered in their thread; only mail that proves its sender is taken."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from channels.adapters.email.settings import PERSON, EmailSettings
from channels.base import Channel, ChannelSpec, Examined, Host


def _create(settings: EmailSettings, host: Host) -> Channel:
    # Reading a configuration needs the settings only; the mail libraries take time.
    from channels.adapters.email.channel import EmailChannel  # noqa: PLC0415

    return EmailChannel(settings, host)


async def _examine(settings: EmailSettings, host: Host) -> AsyncGenerator[Examined, None]:
    from channels.adapters.email.examine import examine  # noqa: PLC0415 -- as above

    async for line in examine(settings, host):
        yield line


SPEC = ChannelSpec(
    kind="email",
    settings=EmailSettings,
    create=_create,
    person=PERSON,
    pairing=False,
    examine=_examine,
)
