from __future__ import annotations

from channels.adapters.telegram.receiver import Account
from channels.adapters.telegram.reception import Reception
from channels.adapters.telegram.settings import TelegramSettings
from channels.types import Take


class Hook:
    def __init__(self, account: Account, settings: TelegramSettings, reception: Reception) -> None:
        self._account = account

    async def run(self, take: Take) -> None:
        raise NotImplementedError
