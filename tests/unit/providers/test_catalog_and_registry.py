"""What is known of providers and models, where it comes from, and the live providers behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.errors import Misconfigured
from providers.presets import PRESETS, complete, is_local, preset_for
from providers.registry import Catalog, FoundProvider, Registry, create, kinds, load_spec
from providers.settings import ModelSettings, ProviderSettings
from providers.testing import ScriptedProvider
from providers.types import ModelInfo, Price, Route

KEY = ProviderSettings.model_validate({"api_key": "sk-example"})


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_models_are_among_those_it_describes(name: str) -> None:
    preset = PRESETS[name]

    ids = [model.id for model in preset.models]
    assert {preset.strong, preset.cheap} - {""} <= set(ids)
    assert len(ids) == len(set(ids))
    assert preset.api_base is None or not preset.api_base.endswith("/")


def test_a_known_name_needs_only_its_key() -> None:
    settings = complete("groq", KEY, {})

    assert settings.api_base == "https://api.groq.com/openai/v1"
    assert settings.kind == "openai_compat"
    assert create("groq", settings).name == "groq"


def test_a_known_name_takes_its_key_from_the_environment() -> None:
    settings = complete("gemini", ProviderSettings(), {"GOOGLE_API_KEY": "from-env"})

    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "from-env"


def test_the_environments_key_is_never_sent_to_another_host() -> None:
    settings = ProviderSettings(api_base="http://localhost:1234/v1")

    assert complete("openai", settings, {"OPENAI_API_KEY": "sk-example"}).api_key is None


def test_a_preset_is_recognised_by_its_host_under_another_name() -> None:
    settings = ProviderSettings(api_base="https://openrouter.ai/api/v1")

    preset = preset_for("or", settings)
    assert preset is not None
    assert preset.name == "openrouter"
    assert Catalog.of({"or": settings}).names().providers["or"].bare_prefix == "openrouter/"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://localhost:8080", True),
        ("http://192.168.1.20:8000/v1", True),
        ("http://ollama:11434/v1", True),
        ("http://nas.local/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("http://box.example.org:8080/v1", False),
    ],
)
def test_a_provider_is_local_by_its_address(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_the_owners_word_stands_above_what_was_learned_listed_and_preset() -> None:
    route = Route("openai", "gpt-6-luna")
    catalog = Catalog.of({"openai": KEY})
    assert catalog.info(route).price == Price(0.1, 0.5)
    assert replace(catalog.info(route), price=None) == ModelInfo("gpt-6-luna", 922_000, True, "capable")

    catalog = catalog.listing("openai", [ModelInfo("gpt-6-luna", 500_000)])
    assert replace(catalog.info(route), price=None) == ModelInfo("gpt-6-luna", 500_000, True, "capable")

    catalog = catalog.learning(route, context_window=400_000)
    assert catalog.info(route).context_window == 400_000

    said = ModelSettings(context_window=300_000, tools=False, tier="strong")
    settings = KEY.model_copy(update={"model_info": {"gpt-6-luna": said}})
    catalog = Catalog.of({"openai": settings}).inheriting(catalog)
    assert replace(catalog.info(route), price=None) == ModelInfo("gpt-6-luna", 300_000, False, "strong")


def test_an_unknown_model_is_weak_and_nothing_is_known_of_it() -> None:
    assert Catalog.of({"openai": KEY}).info(Route("openai", "new")) == ModelInfo("new")


def test_what_was_learned_is_kept_for_unchanged_providers_only() -> None:
    other = ProviderSettings.model_validate({"api_key": "sk-other"})
    old = (
        Catalog.of({"openai": KEY, "groq": KEY})
        .listing("openai", [ModelInfo("a")])
        .listing("groq", [ModelInfo("b")])
    )

    new = Catalog.of({"openai": KEY, "groq": other}).inheriting(old)

    assert set(new.listed) == {"openai"}


def test_a_found_server_at_a_configured_address_is_not_a_second_provider() -> None:
    base = ProviderSettings(api_base="http://127.0.0.1:8080/v1")
    catalog = Catalog.of({"home": base}).adopting([FoundProvider("llama", base, (ModelInfo("m", 4096),))])

    assert list(catalog.providers) == ["home"]
    assert catalog.default_model("home") == "m"


def test_the_default_model_is_the_owners_the_presets_the_first_listed_with_tools() -> None:
    assert Catalog.of({"groq": KEY}).default_model("groq") == "openai/gpt-oss-120b"
    chosen = KEY.model_copy(update={"default_model": "mine"})
    assert Catalog.of({"groq": chosen}).default_model("groq") == "mine"
    assert Catalog.of({"groq": chosen}).cheap_model("groq") == "mine"
    base = ProviderSettings(api_base="http://127.0.0.1:1/v1")
    listed = [ModelInfo("plain", tools=False), ModelInfo("able", tools=True)]
    assert Catalog.of({"x": base}).listing("x", listed).default_model("x") == "able"
    assert Catalog.of({"x": base}).default_model("x") == ""


def test_kinds_are_the_files_of_the_folder() -> None:
    assert "openai_compat" in kinds()
    assert load_spec("openai_compat").kind == "openai_compat"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (ProviderSettings(kind="opnai", api_base="http://x/v1"), r"kinds are .*openai_compat"),
        (ProviderSettings(kind="openai_compat"), "needs api_base"),
        (ProviderSettings.model_validate({"api_base": "http://x/v1", "api_key": "sk-\n1"}), "holds a space"),
        (ProviderSettings.model_validate({"api_base": "http://x/v1", "api_key": "sk-ü"}), "holds a space"),
    ],
)
def test_a_provider_that_cant_work_says_why(settings: ProviderSettings, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        create("mine", settings)


def test_a_preset_without_its_key_says_where_it_may_come_from() -> None:
    with pytest.raises(Misconfigured, match=r"needs api_key .or GROQ_API_KEY in the environment"):
        create("groq", complete("groq", ProviderSettings(), {}))


async def test_a_provider_is_made_once_and_again_for_other_settings() -> None:
    made: list[str | None] = []

    def make(name: str, settings: ProviderSettings) -> ScriptedProvider:
        made.append(settings.api_base)
        return ScriptedProvider(name=name)

    registry = Registry(make)
    one, other = ProviderSettings(api_base="http://one"), ProviderSettings(api_base="http://other")
    for settings in (one, one, other):
        with registry.lease("p", settings):
            pass

    assert made == ["http://one", "http://other"]
    await registry.aclose()


async def test_one_provider_that_cant_be_made_leaves_the_others_alone() -> None:
    registry = Registry()
    with pytest.raises(Misconfigured), registry.lease("bad", ProviderSettings(kind="nope")):
        pass

    with registry.lease(
        "good", ProviderSettings(kind="openai_compat", api_base="http://127.0.0.1:9/v1")
    ) as good:
        assert good.name == "good"
    await registry.aclose()
