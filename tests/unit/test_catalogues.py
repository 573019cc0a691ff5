"""The lists of gateways between the server, the database and the models in use."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session

from bot import plugins
from bot.catalogues import FRESH, Catalogues
from bot.errors import BotError
from bot.schedule.spec import JobSpec
from bot.storage import catalogue as rows
from bot.storage.database import Database
from bot.storage.tables import Ledger
from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import Route
from tests.fakes.openrouter import MODELS, OpenRouterFake

NOW = 1_795_305_600.0
BEST, GEMMA = "nvidia/nemotron-3-super-120b-a12b:free", "google/gemma-4-31b-it:free"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


def client(fake: OpenRouterFake) -> ModelClient:
    settings = ProviderSettings.model_validate({"api_base": fake.base_url, "api_key": "sk-or-v1-test"})
    return ModelClient(Catalog.of({"openrouter": settings}), clock=lambda: NOW)


def free(models: ModelClient) -> list[str]:
    return [route.model for route in models.resolve("free").routes]


async def test_a_list_is_fetched_kept_and_taken_up_by_the_next_start(database: Database) -> None:
    async with OpenRouterFake() as fake:
        models = client(fake)
        said = await Catalogues(models, database).refresh(NOW)
        assert said == f"openrouter: {len(MODELS)} models, 6 of them free with tools"
        assert free(models)[0] == BEST
        assert len(free(models)) == 5
        await models.aclose()
    # The server is gone; what it said is still known.
    later = client(fake)
    await Catalogues(later, database).load(NOW)
    assert len(free(later)) == 5
    assert later.catalog.info(Route("openrouter", GEMMA)).context_window == 262_144
    await later.aclose()


async def test_it_is_asked_for_once_an_hour_at_most_and_sent_only_when_it_changed(database: Database) -> None:
    async with OpenRouterFake() as fake:
        models = client(fake)
        catalogues = Catalogues(models, database)
        await catalogues.refresh(NOW)
        assert await catalogues.refresh(NOW + FRESH - 1) == ""
        assert len(fake.probes) == 1
        assert await catalogues.refresh(NOW + FRESH) == "openrouter: unchanged"
        assert (fake.listed, fake.unchanged) == (1, 1)
        assert fake.probes[1].headers["if-none-match"]
        # Found unchanged, it is fresh again.
        assert await catalogues.refresh(NOW + 2 * FRESH - 1) == ""
        assert len(fake.probes) == 2
        await models.aclose()


async def test_what_vanished_is_one_line_of_the_log(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with OpenRouterFake() as fake:
        models = client(fake)
        catalogues = Catalogues(models, database)
        await catalogues.refresh(NOW)
        fake.models = [model for model in fake.models if model["id"] not in (BEST, GEMMA)]
        with caplog.at_level(logging.INFO):
            said = await catalogues.refresh(NOW + FRESH)
        assert said.endswith("4 of them free with tools, 2 gone since the last time")
        assert [record.getMessage() for record in caplog.records if "no longer" in record.getMessage()] == [
            f"no longer listed at openrouter: {BEST}, {GEMMA}"
        ]
        assert BEST not in free(models)
        await models.aclose()


async def test_a_list_that_cannot_be_had_leaves_the_last_good_one(database: Database) -> None:
    async with OpenRouterFake() as fake:
        models = client(fake)
        await Catalogues(models, database).refresh(NOW)
        before = free(models)
        fake.models.clear()  # answered, but with nothing in it
        with pytest.raises(
            BotError, match=r"openrouter sent something unreadable \(lists no models\); its list of"
        ):
            await Catalogues(models, database).refresh(NOW + FRESH)
        assert free(models) == before
        assert len((await database.read(rows.lists))["openrouter"].models) == len(MODELS)
        await models.aclose()
    unreachable = client(fake)
    with pytest.raises(BotError, match="openrouter can't be reached"):
        await Catalogues(unreachable, database).refresh(NOW + FRESH)
    await unreachable.aclose()


async def test_who_answered_more_often_comes_first(database: Database) -> None:
    def call(model: str, outcome: str, at: float = NOW - 60) -> Ledger:
        return Ledger(at=at, provider="openrouter", model=model, outcome=outcome)

    calls = [
        *(call(BEST, "Overloaded") for _ in range(20)),
        *(call(BEST, "cancelled") for _ in range(5)),
        call(BEST, ""),
        *(call(GEMMA, "answered") for _ in range(9)),
        call(GEMMA, "ServerError"),
        call(GEMMA, "ServerError", at=NOW - 90 * 86_400),
    ]

    def book(s: Session) -> None:
        s.add_all(calls)

    await database.write(book)
    assert await database.read(partial(rows.measured, since=NOW - 86_400)) == {
        Route("openrouter", BEST): (20, 0),
        Route("openrouter", GEMMA): (10, 9),
    }
    async with OpenRouterFake() as fake:
        models = client(fake)
        await Catalogues(models, database).refresh(NOW)
        assert free(models)[0] == GEMMA
        assert BEST not in free(models)
        await models.aclose()


def test_the_job_asks_four_times_a_day_and_at_the_start() -> None:
    spec = plugins.load("bot.jobs", "catalogue", JobSpec)
    assert spec.at_start
    assert getattr(spec.trigger, "seconds", None) == 6 * 3600
