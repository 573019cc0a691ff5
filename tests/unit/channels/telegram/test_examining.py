"""What the doctor hears of a bot's account; looking changes nothing."""

from __future__ import annotations

from typing import Any

import telegram

from channels.adapters.telegram import SPEC
from channels.adapters.telegram.settings import TelegramSettings
from channels.base import Examined, Host
from channels.testing import MemoryStore, host
from tests.fakes.telegram import TelegramFake

URL = "https://bot.example.org/telegram"


def lent(**note: Any) -> Host:
    store = MemoryStore()
    if note:
        store.values["webhook"] = f'{{"url": "{note["url"]}"}}'
    return Host((), store, host().folder, lambda _: None)


async def examined(tg: TelegramFake, lent: Host | None = None, **given: Any) -> list[Examined]:
    assert SPEC.examine is not None
    settings = TelegramSettings.model_validate({"token": tg.token, "base_url": tg.base_url, **given})
    found = [one async for one in SPEC.examine(settings, lent or host())]
    changing = {request.method for request in tg.requests} - {"getMe", "getWebhookInfo", "setWebhook"}
    assert not changing
    assert tg.token.partition(":")[2] not in str(found)
    return found


async def test_a_good_token(tg: TelegramFake) -> None:
    assert await examined(tg) == [Examined("ok", "telegram", "the token is that of @fake_bot")]


async def test_a_refused_token(tg: TelegramFake) -> None:
    (found,) = await examined(tg, token="1:wrong")
    assert (found.level, "check `token`" in found.fix) == ("error", True)


async def test_a_server_that_is_not_there() -> None:
    async with TelegramFake(validate=False) as tg:
        pass
    (found,) = await examined(tg)
    assert (found.level, "can't be reached" in found.text, "base_url" in found.fix) == ("error", True, True)


async def test_a_webhook_of_another_program_and_one_of_ours(tg: TelegramFake) -> None:
    async with telegram.Bot(tg.token, tg.base_url) as other:
        await other.set_webhook(URL)
    assert [one.level for one in await examined(tg)] == ["ok", "error"]
    assert [one.level for one in await examined(tg, lent(url=URL))] == ["ok"], "the next start takes it back"


async def test_a_webhook_that_is_wanted(tg: TelegramFake) -> None:
    missing = await examined(tg, webhook_url=URL)
    tg.user_says(42, "hello")
    async with telegram.Bot(tg.token, tg.base_url) as ours:
        await ours.set_webhook(URL)
    await tg.wait_for(lambda: tg.webhooks.deliveries)
    failing = await examined(tg, webhook_url=URL)
    tg.updates.clear()
    well = await examined(tg, webhook_url=URL)

    assert [one.level for one in missing] == ["ok", "warning"]
    assert failing[1].level == "error"
    assert "Connection refused; waiting: 1" in failing[1].text
    assert well[1] == Examined("ok", "telegram", f"Telegram delivers to {URL}")


async def test_privacy_mode_where_everything_is_wanted(tg: TelegramFake) -> None:
    assert [one.level for one in await examined(tg, groups="all")] == ["ok", "warning"]
    async with TelegramFake(privacy=False) as open_to_all:
        assert [one.level for one in await examined(open_to_all, groups="all")] == ["ok"]
