"""With no configuration whatever is found is used; with nothing found each message is answered with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import discovery
from providers.registry import FoundProvider
from providers.settings import ProviderSettings
from tests.fakes.llm import LLMFake
from tests.journey.conversation import talking


async def test_without_any_model_each_message_is_answered_with_the_way_out(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as chat:
        assert "OPENROUTER_API_KEY" in (await chat.ask("hello")).answer
        assert "@BotFather" in (await chat.ask("how do I use Telegram?")).answer
        assert "No model." in (await chat.ask("/status")).replies[0]


async def test_a_server_that_appears_is_used_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "LOOK_AGAIN", 0.0)
    found: list[FoundProvider] = []
    async with LLMFake() as llm, talking(tmp_path, "", found) as chat:
        assert "no model" in (await chat.ask("hello")).answer
        settings = ProviderSettings(api_base=llm.base_url, default_model="fake-1")
        found.append(FoundProvider("llama", settings, why="llama-server at port 8080"))
        assert (await chat.ask("hello")).answer == "You said: hello"
        assert (await chat.app.status.report())["choice"] == "llama-server at port 8080"
