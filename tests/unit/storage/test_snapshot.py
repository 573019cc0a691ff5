"""What `nanobot resolve` reads of a bot that is stopped."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from sqlmodel import Session

from bot.catalogues import Catalogues
from bot.cli.options import Options
from bot.cli.resolve import resolve
from bot.storage.database import Database
from bot.storage.snapshot import Snapshot, snapshot
from bot.storage.states import ProviderStates
from bot.storage.tables import Ledger
from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Message, Route
from tests.fakes.openrouter import OpenRouterFake

NOW = 1_795_305_600.0
BEST, GEMMA = "nvidia/nemotron-3-super-120b-a12b:free", "google/gemma-4-31b-it:free"


def book(s: Session, *, row: Ledger) -> None:
    s.add(row)


async def test_a_stopped_bot_resolves_as_it_did_when_it_ran(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    async with OpenRouterFake() as fake:
        database = await Database.open(data / "nanobot.db")
        settings = ProviderSettings.model_validate({"api_base": fake.base_url, "api_key": "sk-or-v1-test"})
        models = ModelClient(
            Catalog.of({"openrouter": settings}),
            store=ProviderStates(database, lambda: NOW),
            clock=lambda: NOW,
        )
        await Catalogues(models, database).refresh(NOW)
        fake.ended[BEST] = "free_variant_ended"
        await models.chat("free", ChatRequest((Message("user", "hello"),)))
        row = Ledger(at=NOW, provider="openrouter", model=GEMMA, outcome="answered")
        await database.write(partial(book, row=row))
        running = [str(route) for route in models.resolve("free").routes]
        await models.aclose()
        await database.aclose()
        file = tmp_path / "config.toml"
        address, key = json.dumps(fake.base_url), json.dumps("sk-or-v1-test")
        file.write_text(f"[providers.openrouter]\napi_base = {address}\napi_key = {key}\n")
    found = await resolve(Options(file, data, verbose=False, env={"HOME": str(tmp_path)}), "free")
    assert found["routes"] == running
    assert f"openrouter/{BEST}" not in running
    left = snapshot(data / "nanobot.db", NOW - 60)
    assert left.measured == {Route("openrouter", GEMMA): (1, 1)}
    assert f"retired:openrouter/{BEST}" in left.states


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    assert snapshot(tmp_path / "missing.db", 0.0) == Snapshot()
    junk = tmp_path / "with space & ?.db"
    junk.write_bytes(b"no database" * 100)
    assert snapshot(junk, 0.0) == Snapshot()
    empty = tmp_path / "empty.db"
    empty.touch()
    assert snapshot(empty, 0.0) == Snapshot()
