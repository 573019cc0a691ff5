"""`free` as a name, and what a catalogue does to chains, defaults and gateways without a key."""

from __future__ import annotations

import pytest

from providers.errors import UnknownName
from providers.registry import Catalog, create, usable
from providers.router import ModelRouter
from providers.settings import ProviderSettings
from providers.types import ModelInfo, Price, Route

KEY = ProviderSettings.model_validate({"api_key": "sk-or-example"})
NOTHING = Price(0.0, 0.0)
IDS = ("nvidia/a:free", "nvidia/b:free", "google/c:free", "meta/d:free", "mini/e:free", "openrouter/free")
MODELS = [ModelInfo(id_, 100_000, tools=True, tier="capable", price=NOTHING) for id_ in IDS]
LINE = ["nvidia/a:free", "google/c:free", "meta/d:free", "nvidia/b:free", "openrouter/free"]


def stocked(**catalog: object) -> Catalog:
    base = Catalog.of({"openrouter": KEY}, **catalog)  # type: ignore[arg-type]
    return base.stocked("openrouter", MODELS, IDS)


def routes(catalog: Catalog, name: str) -> list[str]:
    return [route.model for route in ModelRouter(catalog).resolve(name).routes]


def test_free_means_four_of_the_catalogue_and_the_random_choice_last() -> None:
    resolution = ModelRouter(stocked()).resolve("free")
    assert [route.model for route in resolution.routes] == LINE
    assert resolution.steps == ("free means the free models of the provider openrouter, the best first",)


def test_without_a_catalogue_the_short_list_stands_in() -> None:
    assert routes(Catalog.of({"openrouter": KEY}), "free") == [
        "nvidia/nemotron-3-super-120b-a12b:free",
        "google/gemma-4-31b-it:free",
        "openrouter/free",
    ]


def test_free_serves_as_a_role_an_aliass_target_and_a_chains_member() -> None:
    catalog = stocked(
        roles={"rlm": "free"}, aliases={"main": "free"}, fallback={"memory": ["openrouter/x/y", "free"]}
    )
    assert routes(catalog, "rlm") == LINE
    assert routes(catalog, "main") == LINE
    assert routes(catalog, "memory") == ["x/y", *LINE]


def test_an_alias_or_a_provider_of_that_name_wins() -> None:
    assert routes(stocked(aliases={"free": "openrouter/x/y"}), "free") == ["x/y"]
    own = Catalog.of({"openrouter": KEY, "free": ProviderSettings(api_base="http://h/v1", default_model="m")})
    assert routes(own, "free") == ["m"]


def test_without_openrouter_the_error_names_the_sign_in() -> None:
    catalog = Catalog.of({"groq": KEY}, fallback={"main": ["groq", "free"]})
    with pytest.raises(UnknownName, match="nanobot login openrouter"):
        ModelRouter(catalog).resolve("free")
    resolution = ModelRouter(catalog).resolve("main")
    assert [str(route) for route in resolution.routes] == ["groq/openai/gpt-oss-120b"]
    assert any("free is left out" in step and "nanobot login openrouter" in step for step in resolution.steps)


def test_the_automatic_chain_takes_the_catalogues_best() -> None:
    assert routes(stocked(), "reasoning") == LINE
    # The worker leaves the best to the conversation; the random choice stays last.
    assert routes(stocked(), "rlm") == [
        "google/c:free",
        "meta/d:free",
        "nvidia/b:free",
        "nvidia/a:free",
        "openrouter/free",
    ]
    assert routes(stocked(), "openrouter") == ["nvidia/a:free"]


def test_the_owners_own_model_stands_above_the_catalogue() -> None:
    own = ProviderSettings.model_validate({"api_key": "sk-or-example", "default_model": "vendor/mine"})
    catalog = Catalog.of({"openrouter": own}).stocked("openrouter", MODELS, IDS)
    assert routes(catalog, "openrouter") == ["vendor/mine"]
    assert routes(catalog, "reasoning") == ["vendor/mine"]
    assert routes(catalog, "free") == LINE


def test_a_retired_model_leaves_its_place_to_the_next() -> None:
    catalog = stocked().retiring(
        [Route("openrouter", "google/c:free"), Route("openrouter", "openrouter/free")]
    )
    assert routes(catalog, "free") == ["nvidia/a:free", "meta/d:free", "mini/e:free", "nvidia/b:free"]


def test_another_catalog_of_the_same_provider_keeps_the_list() -> None:
    again = Catalog.of({"openrouter": KEY}).inheriting(stocked())
    assert routes(again, "free") == LINE
    other = Catalog.of({"openrouter": ProviderSettings.model_validate({"api_key": "sk-or-2"})}).inheriting(
        stocked()
    )
    assert "openrouter" not in other.free_models


def test_a_relay_of_openrouter_at_home_is_still_openrouter() -> None:
    relay = ProviderSettings.model_validate({"api_key": "sk", "api_base": "http://127.0.0.1:9/api/v1"})
    catalog = Catalog.of({"openrouter": relay})
    assert not catalog.local("openrouter")
    assert routes(catalog, "openrouter/free") == ["openrouter/free"]
    assert len(routes(catalog, "free")) == 3


@pytest.mark.parametrize("name", ["kilo", "llm7"])
def test_a_gateway_without_a_key_needs_the_owners_yes(name: str) -> None:
    silent = Catalog.of({name: ProviderSettings()}).providers[name]
    asked = Catalog.of({name: ProviderSettings(anonymous=True)}).providers[name]
    keyed = Catalog.of({name: KEY}).providers[name]
    assert not usable(name, silent)
    assert usable(name, asked)
    assert usable(name, keyed)
    with pytest.raises(Exception, match=r"anonymous = true; .* may be logged"):
        create(name, silent)


def test_a_strangers_gateway_costs_nothing_and_asks_only_for_free_models() -> None:
    catalog = Catalog.of({"kilo": ProviderSettings(anonymous=True)})
    assert catalog.free("kilo")
    assert catalog.default_model("kilo") == ""
    listed = [
        ModelInfo("big/paid", 1, True, price=Price(1, 2)),
        ModelInfo("z/glm:free", 1, True, price=NOTHING),
    ]
    assert catalog.listing("kilo", listed).default_model("kilo") == "z/glm:free"
    assert catalog.stocked("kilo", listed, ["x/y:free"]).free_line("kilo") == ("x/y:free",)
    with pytest.raises(UnknownName):
        ModelRouter(catalog).resolve("free")
