"""Where only a model is at fault, another model of its provider stands in: behind the chain, and never a dearer one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from providers import errors
from providers.client import ModelClient
from providers.errors import NoModel, ProviderError
from providers.registry import Catalog, Registry
from providers.router import Candidate
from providers.settings import ProviderSettings
from providers.testing import Answer, Clock, ScriptedProvider
from providers.thrift import costs_nothing, stand_ins
from providers.types import (
    ChatReply,
    ChatRequest,
    Image,
    Message,
    ModelInfo,
    Price,
    ProviderEvent,
    Route,
    ToolDef,
)

ASK = ChatRequest((Message("user", "hello"),))
TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {}})


class Shop(ScriptedProvider):
    """Models of one provider, those in `broken` with their error."""

    def __init__(self, **broken: ProviderError) -> None:
        super().__init__()
        self.broken = {name.replace("_", "-"): error for name, error in broken.items()}

    async def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        answer: Answer = self.broken.get(model, f"I am {model}")
        self.turns = [answer]
        async for event in super().stream(model, request):
            yield event


def shop_client(shop: Shop, clock: Clock | None = None, **settings: Any) -> ModelClient:
    """`shop` with the models a, b, c and d, then `last`; the role's chain is shop/a and last."""
    clock = clock or Clock()
    one = {"api_base": "https://shop.invalid/v1", "models": ["a", "b", "c", "d"], "api_key": "k", **settings}
    other = {"api_base": "https://last.invalid/v1", "default_model": "m"}
    last = ScriptedProvider(after=errors.ServerError(retry_after=900))
    catalog = Catalog.of(
        {"shop": ProviderSettings.model_validate(one), "last": ProviderSettings.model_validate(other)},
        {},
        {"reasoning": "shop/a"},
        {"reasoning": ["shop/a", "last"]},
    )
    return ModelClient(
        catalog, Registry(lambda name, _: {"shop": shop, "last": last}[name]), None, clock, clock.sleep
    )


def outcome(reply: ChatReply | NoModel) -> list[tuple[str, str]]:
    return [(str(attempt.route), attempt.error) for attempt in reply.path]


@pytest.mark.parametrize(
    "error",
    [
        errors.RateLimited(retry_after=900),
        errors.UnknownModel(),
        errors.Overloaded(retry_after=900),
        errors.Stalled(),
    ],
)
async def test_another_model_answers_when_the_chain_has_failed(error: ProviderError) -> None:
    reply = await shop_client(Shop(a=error)).chat("reasoning", ASK)

    assert outcome(reply) == [("shop/a", type(error).__name__), ("last/m", "ServerError"), ("shop/b", "")]
    assert reply.path[-1].detail == "in place of shop/a"


@pytest.mark.parametrize(
    "error", [errors.Denied(), errors.ServerError(retry_after=900), errors.Unreachable("x")]
)
async def test_a_whole_provider_that_fails_has_no_stand_in(error: ProviderError) -> None:
    with pytest.raises(NoModel) as nobody:
        await shop_client(Shop(a=error)).chat("reasoning", ASK)

    assert {route for route, _ in outcome(nobody.value)} == {"shop/a", "last/m"}


async def test_a_resting_model_has_one_as_well() -> None:
    client = shop_client(Shop(a=errors.RateLimited(retry_after=900)))
    await client.chat("reasoning", ASK)

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply)[0] == ("shop/a", "RateLimited")
    assert not reply.path[0].called
    assert reply.route == Route("shop", "b")


async def test_two_at_most_stand_in() -> None:
    limited = errors.RateLimited("full", retry_after=900)
    shop = Shop(a=limited, b=limited, c=limited)

    with pytest.raises(NoModel) as nobody:
        await shop_client(shop).chat("reasoning", ASK)

    assert [asked.model for asked in shop.asked] == ["a", "b", "c"]
    assert nobody.value.path[-1].detail == "in place of shop/a: full"


@pytest.mark.parametrize("name", ["shop/a", "shop", "a"])
async def test_a_model_that_somebody_chose_is_not_replaced(name: str) -> None:
    with pytest.raises(NoModel):
        await shop_client(Shop(a=errors.UnknownModel())).chat(name, ASK)


async def test_it_comes_before_a_tiny_model() -> None:
    client = shop_client(Shop(a=errors.UnknownModel()))
    await client.adopt(client.catalog.listing("last", [ModelInfo("m", tiny=True)]))

    assert (await client.chat("reasoning", ASK)).route == Route("shop", "b")


async def test_a_busy_home_machine_is_not_made_to_load_another_model() -> None:
    local = "http://127.0.0.1:9/v1"
    shop = Shop(a=errors.Overloaded(retry_after=900))
    with pytest.raises(NoModel):
        await shop_client(shop, api_base=local, api_key=None).chat("reasoning", ASK)

    gone = Shop(a=errors.UnknownModel())
    reply = await shop_client(gone, api_base=local, api_key=None).chat("reasoning", ASK)
    assert reply.route == Route("shop", "b")


def names(catalog: Catalog, model: str, request: ChatRequest = ASK) -> list[str]:
    route = Route("p", model)
    return [
        c.route.model for c in stand_ins(catalog, Candidate(route, catalog.info(route), local=False), request)
    ]


def catalog_of(*models: ModelInfo, **settings: Any) -> Catalog:
    one = {"api_base": "https://p.invalid/v1", "api_key": "k", **settings}
    return Catalog.of({"p": ProviderSettings.model_validate(one)}).listing("p", models)


def able(id_: str, **known: Any) -> ModelInfo:
    return ModelInfo(id_, tools=True, **known)


def test_only_models_that_are_surely_for_chat_stand_in() -> None:
    catalog = catalog_of(able("a"), able("b"), ModelInfo("embeddings"), models=["mine"])

    assert names(catalog, "a") == ["mine", "b"]


def test_the_same_tier_comes_first() -> None:
    catalog = catalog_of(able("a", tier="strong"), able("weak"), able("strong", tier="strong"))

    assert names(catalog, "a") == ["strong", "weak"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (replace(ASK, tools=(TOOL,)), ["wide", "sees"]),
        (ChatRequest((Message("user", "word " * 20_000),)), ["wide", "blunt"]),
        (
            ChatRequest((Message("user", "what is it?", images=(Image("image/png", b"x"),)),)),
            ["sees", "blunt"],
        ),
    ],
)
def test_only_one_that_can_take_the_request_stands_in(request_: ChatRequest, expected: list[str]) -> None:
    catalog = catalog_of(
        able("a"),
        able("wide", context_window=100_000, vision=False),
        able("sees", context_window=8000, vision=True),
        ModelInfo("blunt", tools=False),
        models=["wide", "sees", "blunt"],
    )

    assert names(catalog, "a", request_) == expected


FREE, CHEAP, DEAR = Price(0, 0), Price(0.1, 0.5), Price(2, 10)


@pytest.mark.parametrize(
    ("failed", "expected"),
    [("free", ["gratis"]), ("cheap", ["free", "gratis"]), ("dear", ["free", "gratis", "cheap"])],
)
def test_nothing_dearer_stands_in(failed: str, expected: list[str]) -> None:
    models = [
        able("free", price=FREE),
        able("gratis", price=FREE),
        able("cheap", price=CHEAP),
        able("dear", price=DEAR),
    ]

    assert names(catalog_of(*models), failed) == expected


def test_without_prices_the_tier_tells_what_is_dearer() -> None:
    models = [able("strong", tier="strong"), able("capable", tier="capable"), able("weak"), able("x:free")]

    assert names(catalog_of(*models), "capable") == ["weak", "x:free"]
    assert names(catalog_of(*models), "x:free") == []


def test_a_retired_model_stands_in_for_nobody() -> None:
    catalog = catalog_of(able("a:free"), able("b:free")).retiring([Route("p", "b:free")])

    assert names(catalog, "a:free") == []


@pytest.mark.parametrize(
    ("settings", "model", "free"),
    [
        ({"api_base": "http://127.0.0.1:8080/v1"}, "m", True),
        ({"api_base": "http://127.0.0.1:8080/v1", "api_key": "k"}, "m", True),
        ({"kind": "starter"}, "m", True),
        ({"api_base": "https://p.invalid/v1", "api_key": "k"}, "m", False),
        ({"api_base": "https://p.invalid/v1", "api_keys": ["k"]}, "m", False),
        ({"api_base": "https://p.invalid/v1"}, "m", True),
        ({"api_base": "https://openrouter.ai/api/v1", "api_key": "k"}, "a/b:free", True),
        ({"api_base": "https://openrouter.ai/api/v1", "api_key": "k"}, "openrouter/free", True),
        ({"api_base": "https://openrouter.ai/api/v1", "api_key": "k"}, "a/b", False),
    ],
)
def test_what_costs_nothing(settings: dict[str, Any], model: str, free: bool) -> None:
    catalog = Catalog.of({"p": ProviderSettings.model_validate(settings)})

    assert costs_nothing(catalog, Route("p", model)) is free


@pytest.mark.parametrize(("price", "free"), [(Price(0, 0), True), (Price(0, 1), False), (Price(1, 0), False)])
@pytest.mark.parametrize("model", ["m", "m:free"])
@pytest.mark.parametrize("base", ["https://p.invalid/v1", "http://127.0.0.1:8080/v1"])
def test_a_known_price_decides(price: Price, free: bool, model: str, base: str) -> None:
    catalog = catalog_of(ModelInfo(model, price=price), api_base=base)

    assert costs_nothing(catalog, Route("p", model)) is free


def test_a_provider_that_is_gone_is_no_way_to_anything_free() -> None:
    assert not costs_nothing(Catalog(), Route("p", "m:free"))
