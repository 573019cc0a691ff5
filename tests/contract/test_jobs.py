"""Every file in `bot/jobs`, through the same suite: what it exports, what it does where there is nothing to do, and
what it makes of a world that fails.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import bot.jobs
from bot import plugins
from bot.config import Config
from bot.core import Core, CoreBuilder
from bot.cron import Cron as Times
from bot.discovery import Discovery
from bot.errors import BotError, StorageError
from bot.schedule.jobs import JOBS, plans
from bot.schedule.spec import Cron, Every, JobContext, JobSpec
from bot.storage.database import Database
from bot.storage.tables import Outbox
from providers.client import ModelClient
from providers.registry import Catalog, FoundProvider
from providers.settings import ProviderSettings

NAMES = plugins.names(JOBS)
QUICK = 5.0
"""Seconds that a job may take which has nothing to do; a quarter of them is generous."""


@dataclass
class Room:
    """What a job is given, and what it sent."""

    core: Core
    sent: list[Outbox] = field(default_factory=list)

    @property
    def context(self) -> JobContext:
        async def nobody(_text: str) -> bool:
            return False

        return JobContext(self.core, nobody, self.sent.extend)


@asynccontextmanager
async def room(folder: Path, providers: Mapping[str, ProviderSettings] | None = None) -> AsyncIterator[Room]:
    """A bot that nobody ever wrote to, with these providers or none."""

    async def look(_env: Mapping[str, str]) -> Sequence[FoundProvider]:
        return ()

    config = Config(providers=dict(providers or {}))
    database = await Database.open(folder / "nanobot.db")
    models = ModelClient(Catalog.of(config.providers))
    try:
        yield Room(CoreBuilder(config, models, database).build(Discovery(config, {}, look)))
    finally:
        await models.aclose()
        await database.aclose()


def spec(name: str) -> JobSpec:
    return plugins.load(JOBS, name, JobSpec)


def test_the_folder_is_what_is_scheduled() -> None:
    assert {"catalogue", "probe"} <= set(NAMES)
    assert list(plans(Config())) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_file_exports_its_spec(name: str) -> None:
    job = spec(name)
    assert job.help
    assert "\n" not in job.help
    assert job.help[0].islower(), "it is shown below the name, as a part of a list"
    assert not job.help.endswith(".")
    assert job.limit > 0
    match job.trigger:
        case Every(seconds):
            assert seconds >= 10
        case Cron(fields):
            assert Times.parse(fields).after(time.time()) is not None


@pytest.mark.parametrize("name", NAMES)
async def test_where_there_is_nothing_to_do_it_is_quick_and_quiet(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with room(tmp_path) as place:
        async with asyncio.timeout(QUICK):
            assert await spec(name).run(place.context) == ""
            assert await spec(name).run(place.context) == ""
        assert place.sent == []
        assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("name", NAMES)
async def test_providers_that_nobody_can_reach_are_survived(name: str, tmp_path: Path) -> None:
    nowhere = {
        "openrouter": ProviderSettings.model_validate(
            {"api_key": "sk-or-test", "api_base": "http://127.0.0.1:9/api/v1"}
        ),
        "home": ProviderSettings(api_base="http://127.0.0.1:9/v1"),
    }
    async with room(tmp_path, nowhere) as place:
        async with asyncio.timeout(QUICK):
            try:
                said = await spec(name).run(place.context)
            except BotError as error:
                said = str(error)
        assert "\n" not in said
        assert "sk-or-test" not in said
        assert place.sent == []


@pytest.mark.parametrize("name", NAMES)
async def test_a_database_that_is_gone_is_told_and_not_hidden(name: str, tmp_path: Path) -> None:
    async with room(tmp_path) as place:
        await place.core.database.aclose()
        async with asyncio.timeout(QUICK):
            with pytest.raises(StorageError):
                await spec(name).run(place.context)


@pytest.mark.parametrize("name", NAMES)
async def test_it_can_be_cut_off_at_once(name: str, tmp_path: Path) -> None:
    async with room(tmp_path) as place:
        run = asyncio.ensure_future(spec(name).run(place.context))
        await asyncio.sleep(0)
        run.cancel()
        async with asyncio.timeout(QUICK):
            await asyncio.wait([run])


def test_a_file_in_the_folder_is_all_that_a_new_job_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "water.py").write_text(
        "from bot.schedule.spec import Cron, JobContext, JobSpec\n\n"
        "async def run(context: JobContext) -> str:\n    return 'watered'\n\n"
        "SPEC = JobSpec('water the plants', Cron('0 7 * * *'), run)\n"
    )
    monkeypatch.setattr(bot.jobs, "__path__", [*bot.jobs.__path__, str(tmp_path)])

    found = plans(Config())["water"]

    assert found is not None
    assert (found.spec.help, found.trigger) == ("water the plants", Cron("0 7 * * *"))
