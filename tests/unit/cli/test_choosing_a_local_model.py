"""Which model `nanobot init` fetches: by the memory there is, by the person's choice, and what follows a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli.fetching import local_model
from bot.errors import BotError
from bot.local_models import MODELS, LocalModel
from tests.unit.cli.test_setting_up import Person

LARGE = max(model.memory for model in MODELS)


async def fetched(model: LocalModel) -> Path:
    return Path("/models", model.file)


@pytest.mark.parametrize(
    ("lines", "number"), [(("",), 1), (("2",), 2), (("0", "99", "x", str(len(MODELS))), len(MODELS))]
)
async def test_the_chosen_one_is_fetched(lines: tuple[str, ...], number: int) -> None:
    person = Person(*lines)

    assert await local_model(person, LARGE, fetched) == Path("/models", MODELS[number - 1].file)
    assert person.unused == []


async def test_only_what_fits_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    memory = MODELS[0].memory

    await local_model(Person("no"), memory, fetched)

    shown = capsys.readouterr().out
    for model in MODELS:
        assert (model.title in shown) is (model.memory <= memory)


async def test_where_nothing_fits_it_says_so_and_asks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    person = Person("1")

    assert await local_model(person, 1_000_000_000, fetched) is None
    assert person.asked == []
    assert "takes" in capsys.readouterr().out


async def test_no_and_a_failed_download_lead_back(capsys: pytest.CaptureFixture[str]) -> None:
    async def failing(model: LocalModel) -> Path:
        raise BotError("the disk is full")

    assert await local_model(Person("no"), None, fetched) is None
    assert await local_model(Person(""), None, failing) is None
    assert "the disk is full" in capsys.readouterr().out
