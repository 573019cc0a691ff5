"""A client against OpenRouter's stand-in: models that are gone, the day's allowance, gateways without a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from providers.catalogue import keep
from providers.client import ModelClient
from providers.errors import NoModel
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Message, Route
from tests.fakes.llm import LLMFake, Raw, Reply
from tests.fakes.openrouter import MODELS, OpenRouterFake, entry

HELLO = ChatRequest((Message("user", "hello"),), timeout=10.0)
BEST, SECOND = "nvidia/nemotron-3-super-120b-a12b:free", "google/gemma-4-31b-it:free"


class Store:
    def __init__(self) -> None:
        self.states: dict[str, Mapping[str, Any]] = {}

    async def load(self) -> Mapping[str, Mapping[str, Any]]:
        return self.states

    async def save(self, scope: str, state: Mapping[str, Any]) -> None:
        self.states[scope] = state


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_305_600.0

    def __call__(self) -> float:
        return self.now


def client(
    fake: LLMFake, store: Store | None = None, clock: Clock | None = None, **settings: Any
) -> ModelClient:
    given = {"api_base": fake.base_url, "api_key": "sk-or-v1-test"} | settings
    catalog = Catalog.of({"openrouter": ProviderSettings.model_validate(given)})
    made = ModelClient(catalog, store=store, clock=clock or Clock())
    made.stock("openrouter", keep({"data": list(MODELS)}), {}, fresh=True)
    return made


def asked(fake: LLMFake) -> list[str]:
    return [request.body["model"] for request in fake.requests]


@pytest.mark.parametrize("code", ["free_variant_ended", "no_endpoints", "model_not_found"])
async def test_a_model_that_is_gone_is_remembered_over_a_restart_and_its_paid_twin_left_alone(
    code: str,
) -> None:
    store, clock = Store(), Clock()
    async with OpenRouterFake() as fake:
        fake.ended[BEST] = code
        first = client(fake, store, clock)
        reply = await first.chat("free", HELLO)
        assert reply.route == Route("openrouter", SECOND)
        assert asked(fake) == [BEST, SECOND]
        await first.aclose()

        clock.now += 2 * 86_400  # any rest is long over
        second = client(fake, store, clock)
        await second.restore()
        assert BEST not in [route.model for route in second.resolve("free").routes]
        await second.chat("free", HELLO)
        assert asked(fake)[2:] == [SECOND]
        assert all(model.endswith(":free") for model in asked(fake))
        await second.aclose()


async def test_one_that_vanished_and_is_listed_again_is_asked_again() -> None:
    store, clock = Store(), Clock()
    async with OpenRouterFake() as fake:
        fake.ended[BEST] = "free_variant_ended"
        models = client(fake, store, clock)
        await models.chat("free", HELLO)
        models.stock("openrouter", keep([m for m in MODELS if m["id"] != BEST]), {}, fresh=True)
        models.stock("openrouter", keep(list(MODELS)), {}, fresh=True)
        assert models.resolve("free").routes[0].model == BEST
        await models.aclose()
        again = client(fake, store, clock)
        await again.restore()
        assert again.resolve("free").routes[0].model == BEST
        await again.aclose()


async def test_a_model_that_ones_privacy_settings_withhold_is_not_gone() -> None:
    body = {
        "error": {
            "code": 404,
            "message": "No endpoints found matching your data policy (Free model training).",
        }
    }
    async with OpenRouterFake() as fake:
        fake.push(Reply(raw=Raw(404, body)), model=BEST)
        models = client(fake)
        reply = await models.chat("free", HELLO)
        assert [a.error for a in reply.path] == ["Withheld", ""]
        assert models.resolve("free").routes[0].model == BEST
        await models.aclose()


async def test_the_days_end_stops_every_free_model_and_no_paid_one_steps_in() -> None:
    async with OpenRouterFake() as fake:
        fake.accounts["sk-or-v1-test"].used = 50
        models = client(fake)
        with pytest.raises(NoModel):
            await models.chat("free", HELLO)
        assert len(asked(fake)) == 1  # its siblings share the allowance
        with pytest.raises(NoModel):
            await models.chat("free", HELLO)
        assert len(asked(fake)) == 1
        await models.aclose()


async def test_a_stranger_shows_no_key_and_asks_only_what_is_free() -> None:
    rows = [entry("big/paid-70b"), entry("z-ai/glm-5:free")]
    async with OpenRouterFake(rows) as fake:
        settings = ProviderSettings(api_base=fake.base_url, anonymous=True)
        models = ModelClient(Catalog.of({"kilo": settings}), clock=Clock())
        fake.accounts[""] = fake.accounts["sk-or-v1-test"]
        reply = await models.chat("kilo", HELLO)
        assert reply.route == Route("kilo", "z-ai/glm-5:free")
        assert asked(fake) == ["z-ai/glm-5:free"]
        seen = [*fake.requests, *fake.probes]
        assert len(seen) == 2
        assert all("authorization" not in one.headers and "x-api-key" not in one.headers for one in seen)
        assert models.gateways() == ("kilo",)
        await models.aclose()


async def test_a_gateway_is_not_asked_without_the_owners_yes() -> None:
    async with OpenRouterFake() as fake:
        models = ModelClient(
            Catalog.of({"kilo": ProviderSettings(api_base=fake.base_url, default_model="a/b:free")})
        )
        with pytest.raises(NoModel, match="anonymous = true"):
            await models.chat("kilo", HELLO)
        assert models.gateways() == ()
        assert not fake.requests
        assert not fake.probes
        await models.aclose()


async def test_a_strangers_hour_is_not_overdrawn() -> None:
    clock = Clock()
    async with LLMFake() as fake:
        settings = ProviderSettings(api_base=fake.base_url, anonymous=True, default_model="fake-1")
        models = ModelClient(Catalog.of({"llm7": settings}), clock=clock)
        for _ in range(60):
            await models.chat("llm7", HELLO)
        with pytest.raises(NoModel, match="60 requests an hour"):
            await models.chat("llm7", HELLO)
        clock.now += 3600
        await models.chat("llm7", HELLO)
        assert len(fake.requests) == 61
        await models.aclose()
