"""WhatsApp: through Meta's Cloud API (`mode = "cloud"`), or as a linked device of a phone (`mode = "linked"`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from channels.adapters.whatsapp.settings import PERSON, WhatsAppSettings
from channels.base import Channel, ChannelSpec, Examined, Host
from channels.errors import ChannelError

# Reading a configuration needs the settings only; each mode loads what it needs when it is used.


def _create(settings: WhatsAppSettings, host: Host) -> Channel:
    if settings.mode == "linked":
        from channels.adapters.whatsapp.linked.channel import LinkedChannel  # noqa: PLC0415 -- see above

        return LinkedChannel(settings, host)
    from channels.adapters.whatsapp.cloud.channel import CloudChannel  # noqa: PLC0415 -- see above

    return CloudChannel(settings, host)


async def _examine(settings: WhatsAppSettings, host: Host) -> AsyncGenerator[Examined, None]:
    if settings.mode == "linked":
        from channels.adapters.whatsapp.linked import examine as linked  # noqa: PLC0415 -- see above

        async for found in linked.examined(host):
            yield found
        return
    from channels.adapters.whatsapp.cloud.examine import examined  # noqa: PLC0415 -- see above

    async for found in examined(settings, host):
        yield found


async def _login(settings: WhatsAppSettings, host: Host, say: Callable[[str], None], number: str) -> None:
    if settings.mode == "cloud":
        raise ChannelError('mode = "cloud" has nothing to link; all it needs stands in [channels.whatsapp]')
    from channels.adapters.whatsapp.linked.login import login  # noqa: PLC0415 -- see above

    await login(host, say, number)


SPEC = ChannelSpec(
    kind="whatsapp",
    settings=WhatsAppSettings,
    create=_create,
    person=PERSON,
    examine=_examine,
    login=_login,
)
