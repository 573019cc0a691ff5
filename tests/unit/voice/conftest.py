"""A voice whose worker and programs are stand-ins."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.config.schema import VoiceSettings
from bot.voice import Voice
from bot.voice.process import Worker
from bot.voice.voice import Machine
from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from tests.fakes.llm import LLMFake

WORKER = Path(__file__).parents[2] / "fakes" / "voice_worker.py"
Make = Callable[..., Voice]


def orders(path: Path) -> list[dict[str, Any]]:
    """What the worker was asked about a recording."""
    return [json.loads(line) for line in path.with_name("orders").read_text().splitlines()]


def provider(llm: LLMFake, name: str = "a") -> Catalog:
    """Has speech written down by the model whisper-1 of a fake."""
    settings = ProviderSettings.model_validate({"api_base": llm.base_url, "models": ["whisper-1", "tts"]})
    return Catalog.of({name: settings}, roles={"transcription": f"{name}/whisper-1"})


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """`extra`: whether the extra is installed; `programs`: where those are that there are."""
    async with AsyncExitStack() as stack:

        def made(
            catalog: Catalog | None = None,
            *,
            extra: bool = True,
            programs: dict[str, Path] | None = None,
            idle: float = 300.0,
            **settings: Any,
        ) -> Voice:
            models = ModelClient(catalog or Catalog())
            there = {name: str(path) for name, path in (programs or {}).items()}
            given = VoiceSettings(**settings)
            worker = Worker(lambda: (sys.executable, str(WORKER)), idle)
            voice = Voice(lambda: given, models, tmp_path, Machine(lambda: extra, there.get), worker)
            stack.push_async_callback(models.aclose)
            stack.push_async_callback(voice.aclose)
            return voice

        yield made


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[str], Path]:
    """A recording of these words, each of which takes a second."""

    def written(words: str) -> Path:
        path = tmp_path / "voice.oga"
        path.write_text(f"OggS {words}")
        return path

    return written
