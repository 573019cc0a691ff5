"""Where nothing is configured, whatever is found is used, and something better is looked for until there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bot import discovery
from bot.config import Config
from bot.discovery import Discovery
from providers.client import ModelClient
from providers.registry import FoundProvider
from providers.settings import ProviderSettings
from providers.types import ModelInfo

STARTER = FoundProvider(
    "starter", ProviderSettings(kind="starter", default_model="smol"), (ModelInfo("smol", tiny=True),),
    why="the built-in starter model is installed",
)  # fmt: skip
LOCAL = FoundProvider(
    "ollama", ProviderSettings(api_base="http://127.0.0.1:9/v1", default_model="big"), why="Ollama answers"
)


class Machine:
    """What there is to be found; `looks` counts how often somebody looked."""

    def __init__(self, *found: FoundProvider) -> None:
        self.found = list(found)
        self.looks = 0

    async def look(self, _env: Mapping[str, str]) -> Sequence[FoundProvider]:
        self.looks += 1
        return list(self.found)


async def attached(machine: Machine, config: Config | None = None) -> tuple[Discovery, ModelClient]:
    found = Discovery(config or Config(), {}, machine.look)
    models = ModelClient(await found.catalog())
    found.attach(models)
    return found, models


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "LOOK_AGAIN", 0.0)


async def test_with_providers_configured_nothing_is_looked_for() -> None:
    machine = Machine(LOCAL)
    config = Config.model_validate({"providers": {"mine": {"api_base": "http://x/v1", "default_model": "m"}}})
    found, models = await attached(machine, config)
    await found.look_again()
    assert (machine.looks, found.choice) == (0, "from the configuration: mine")
    await models.aclose()


async def test_nothing_found_is_said() -> None:
    found, models = await attached(Machine())
    assert found.poor()
    assert found.choice == "no local server, no key, no built-in model was found"
    assert models.candidates("reasoning") == ()
    await models.aclose()


@pytest.mark.usefixtures("no_rest")
async def test_a_better_one_that_appears_is_used_and_ends_the_looking() -> None:
    machine = Machine(STARTER)
    found, models = await attached(machine)
    assert found.poor()
    machine.found.insert(0, LOCAL)
    await found.look_again()
    assert not found.poor()
    assert [str(c.route) for c in models.candidates("reasoning")] == ["ollama/big", "starter/smol"]
    assert found.choice == "Ollama answers; the built-in starter model is installed"
    await found.look_again()
    assert machine.looks == 2
    await models.aclose()


async def test_many_messages_in_a_row_look_once() -> None:
    machine = Machine(STARTER)
    found, models = await attached(machine)
    for _ in range(10):
        await found.look_again()
    assert machine.looks == 1
    await models.aclose()
