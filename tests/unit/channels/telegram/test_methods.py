"""Every Bot API method that the adapter calls is served by the stand-in and checked against the published schema."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import telegram

import channels.adapters.telegram
from channels.adapters.telegram import SPEC
from channels.adapters.telegram.settings import TelegramSettings
from channels.testing import MemoryStore, host
from channels.types import Address, Choice, File, Media, Outbound
from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.schema import Schema
from tests.unit.channels.telegram.running import Inbox, channel_for, running

SOURCES = sorted(Path(channels.adapters.telegram.__file__).parent.glob("*.py"))
ME = Address("telegram", "42")


def called() -> set[str]:
    """What stands in the adapter's code behind a bot: methods of the library's `Bot` that ask the server."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Attribute) and _is_bot(node.value) and _asks(node.attr):
                found.add(_camel(node.attr))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"^/([a-z]+[A-Z]\w+)\?", node.value))
    return found


def _is_bot(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.strip("_") == "bot"


def _asks(name: str) -> bool:
    return bool(
        re.match(r"(get|set|send|edit|answer|delete|forward|copy|log|close|pin|unpin)_", name)
    ) and hasattr(telegram.Bot, name)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.load()


def test_the_reader_of_sources_finds_calls() -> None:
    assert {"getUpdates", "sendMessage", "sendPhoto", "getFile", "setMessageReaction"} <= called()
    assert len(called()) >= 18


def test_each_is_published_and_served(schema: Schema) -> None:
    served = set(TelegramFake(validate=False)._dispatcher._names.values())

    assert [method for method in sorted(called()) if not schema.knows(method)] == []
    assert called() - served == set()


def test_results_are_checked_too(schema: Schema) -> None:
    assert schema.check_result("sendMessage", True)
    assert schema.check_result("getWebhookInfo", {"url": 5})
    assert schema.check_result("getFile", {"file_id": "a", "file_unique_id": "b", "mood": "good"})
    assert schema.check_result("setWebhook", True) == []


async def test_each_is_called_here_without_a_complaint(tg: TelegramFake, tmp_path: Path) -> None:
    """All that the channel can do, done once: the stand-in refuses what does not fit the schema."""
    store = MemoryStore()
    store.values["webhook"] = json.dumps({"url": "https://e.org/hook"})
    async with telegram.Bot(tg.token, tg.base_url) as other:
        await other.set_webhook("https://e.org/hook")
    assert SPEC.examine is not None
    async for _ in SPEC.examine(TelegramSettings(token=tg.token, base_url=tg.base_url), host()):  # type: ignore[arg-type]
        pass
    before = len(tg.requests)
    async for _ in SPEC.examine(TelegramSettings(token=tg.token, base_url=tg.base_url), host()):  # type: ignore[arg-type]
        pass
    assert {request.method for request in tg.requests[before:]} == {"getMe", "getWebhookInfo"}

    channel, inbox = channel_for(tg, store=store), Inbox()
    async with running(channel, inbox):
        said = tg.user_sends(42, "document", b"data")
        await tg.wait_for(lambda: inbox.messages)
        await channel.fetch(inbox.messages[0].attachments[0], tmp_path / "in", 100)
        await channel.acknowledge(ME, str(said.message_id))
        await channel.working(ME)
        ref = await channel.preview(ME, "May", "")
        await channel.send(Outbound(1, ME, "May I?", edits=ref, choices=(Choice("Yes", "yes"),)))
        query = tg.user_presses(42, int(ref), "yes")
        for file in files(tmp_path):
            await channel.send(Outbound(2, ME, "see", file=file))
        await tg.wait_for(lambda: tg.callback_answers[query] and tg.calls("editMessageReplyMarkup"))
    async with running(
        channel_for(tg, webhook_url="https://e.org/hook", webhook_listen="127.0.0.1:0"), Inbox()
    ):
        await tg.wait_for(lambda: len(tg.calls("setWebhook")) == 2)

    assert {request.method for request in tg.requests} == called()
    assert [request for request in tg.requests if not request.ok and request.method != "getUpdates"] == []


def files(folder: Path) -> Iterator[File]:
    stored = folder / "out"
    stored.write_bytes(b"\x89PNG")
    for kind, mime in (
        (Media.IMAGE, "image/png"),
        (Media.VOICE, "audio/ogg"),
        (Media.AUDIO, "audio/mpeg"),
        (Media.VIDEO, "video/mp4"),
        (Media.FILE, "text/plain"),
    ):
        yield File(stored, "name.bin", mime, kind)
