"""The table of `nanobot models`, and what the running bot says for it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot.cli.models import render
from bot.errors import BotError
from bot.gateway.commands import choices_text
from bot.models import LONG, listing, survey
from providers.catalogue import keep
from providers.client import ModelClient
from providers.errors import UnknownName
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Message
from tests.fakes.control import FakeControl
from tests.fakes.llm import LLMFake
from tests.fakes.llm.peers import Setup
from tests.fakes.openrouter import MODELS, OpenRouterFake, entry

NOW = 1_795_305_600.0
HELLO = ChatRequest((Message("user", "hello"),), timeout=10.0)
BEST = "nvidia/nemotron-3-super-120b-a12b:free"


def catalog(**settings: Any) -> Catalog:
    made = {name: ProviderSettings.model_validate(given) for name, given in settings.items()}
    return Catalog.of(made, {"main": "openrouter/free"})


def client(fake: OpenRouterFake, extra: int = 0, **others: Any) -> ModelClient:
    models = ModelClient(
        catalog(openrouter={"api_base": fake.base_url, "api_key": "sk-or-v1-test"}, **others),
        clock=lambda: NOW,
    )
    rows = [*MODELS, *(entry(f"vendor/paid-{n}b") for n in range(extra))]
    models.stock("openrouter", keep(rows), {}, fresh=True)
    return models


async def test_a_row_says_what_is_known_and_who_uses_it() -> None:
    async with OpenRouterFake() as fake:
        models = client(fake)
        rows = {row.id: row for row in listing(models).rows}
        await models.aclose()
    best = rows[BEST]
    assert (best.context_window, best.tools, best.tier, best.free) == (262_144, True, "capable", True)
    assert "rlm" in best.roles
    assert best.name == f"openrouter/{BEST}"
    paid = rows["google/gemma-4-31b-it"]
    assert not paid.free
    assert paid.roles == ()
    assert paid.as_json()["price"] == {"prompt": 0.3, "completion": 2.5}
    assert not rows["openrouter/auto"].free


async def test_what_rests_or_is_gone_is_marked() -> None:
    async with OpenRouterFake() as fake:
        fake.ended[BEST] = "free_variant_ended"
        models = client(fake, other={"api_base": "http://127.0.0.1:9/v1", "models": ["m"]}, groq={})
        await models.chat("free", HELLO)
        fake.accounts["sk-or-v1-test"].used = 50
        with pytest.raises(Exception, match="free"):
            await models.chat("free", HELLO)
        states = {row.id: (row.state, row.reason) for row in listing(models).rows}
        limited = next(row for row in listing(models).rows if row.id == "google/gemma-4-31b-it:free")
        text = choices_text(models, NOW)
        await models.aclose()
    assert states[BEST] == ("unusable", "is not offered any more")
    assert states["google/gemma-4-31b-it:free"] == ("resting", "is rate-limited")
    assert states["google/gemma-4-31b-it"][0] == "ready"
    assert states["openai/gpt-oss-20b"] == ("unusable", "`nanobot check` says what is missing")
    assert limited.until is not None
    assert "google/gemma-4-31b-it:free` (resting until " in text


async def test_a_long_list_is_cut_but_not_where_it_is_asked_for() -> None:
    async with OpenRouterFake() as fake:
        models = client(fake, extra=400)
        short, whole, free = listing(models), listing(models, "openrouter"), listing(models, free=True)
        text = choices_text(models, NOW)
        await models.aclose()
    assert len(short.rows) <= LONG
    assert short.hidden["openrouter"] == len(whole.rows) - len(short.rows) > 300
    assert whole.hidden == free.hidden == {}
    assert all(row.free for row in free.rows)
    assert {row.id for row in free.rows} >= {row.id for row in short.rows if row.free}
    assert len(text.splitlines()) < 15
    assert "more; `nanobot models openrouter`" in text
    assert "Names: `main`, `free`" in text


async def test_a_server_that_was_not_asked_yet_is_asked_for_the_list() -> None:
    async with LLMFake(setup=Setup(models=("one", "two"))) as fake:
        models = ModelClient(
            catalog(here={"api_base": fake.base_url}, away={"api_base": "http://127.0.0.1:9/v1"})
        )
        assert [row.id for row in listing(models, "here").rows] == [""]
        await survey(models)
        assert [row.id for row in listing(models, "here").rows] == ["one", "two"]
        assert all(row.free for row in listing(models, "here").rows)
        assert [row.id for row in listing(models, "away").rows] == [""]
        await models.aclose()


def test_an_unknown_provider_is_said_to_be_one() -> None:
    with pytest.raises(UnknownName, match="there are: groq"):
        listing(ModelClient(catalog(groq={"api_key": "gsk-1"})), "grok")


ROW = {
    "provider": "openrouter",
    "id": "vendor/model:free",
    "context_window": 262_144,
    "tools": True,
    "vision": False,
    "thinks": None,
    "tier": "capable",
    "price": {"prompt": 0.0, "completion": 0.0},
    "free": True,
    "roles": ["reasoning"],
    "state": "ready",
    "until": None,
    "reason": "",
}


def test_the_table_stands_in_columns() -> None:
    paid = ROW | {
        "provider": "groq",
        "id": "m",
        "context_window": None,
        "price": {"prompt": 0.075, "completion": 0.3},
        "free": False,
        "roles": [],
        "state": "resting",
        "until": NOW,
        "reason": "is rate-limited",
    }
    clock = time.strftime("%H:%M", time.localtime(NOW))
    assert render({"models": [ROW, paid], "hidden": {"groq": 3}}, NOW).splitlines() == [
        "model                window  can    tier     price      for",
        "",
        "openrouter",
        "  vendor/model:free    262k  tools  capable  free       reasoning",
        "",
        "groq",
        f"  m                       ?  tools  capable  0.07/0.30             resting until {clock}: is rate-limited",
        "  and 3 more: nanobot models groq",
        "",
        "Prices are US dollars for a million tokens, in/out.",
    ]


def test_a_table_of_nothing_says_how_to_get_something() -> None:
    assert "nanobot login openrouter" in render({"models": [], "hidden": {}}, NOW)


async def test_the_command_asks_the_running_bot(control: FakeControl, client: Any) -> None:
    control.replies["GET /v1/models?provider=openrouter&free=1"] = (200, {"models": [ROW], "hidden": {}})
    assert (await client.models("openrouter", free=True))["models"] == [ROW]
    control.replies["GET /v1/models?provider=x"] = (404, {"error": "unknown model 'x'"})
    with pytest.raises(BotError, match="unknown model 'x'"):
        await client.models("x")
