"""What serves a role that nobody configured: the order over everything that was found."""

from __future__ import annotations

import pytest

from providers.registry import Catalog, FoundProvider
from providers.router import ModelRouter
from providers.settings import ModelSettings, ProviderSettings
from providers.types import ModelInfo, Route

OPENAI = FoundProvider("openai", ProviderSettings.model_validate({"api_key": "sk-example"}))
GROQ = FoundProvider("groq", ProviderSettings.model_validate({"api_key": "gsk-example"}))
OPENROUTER = FoundProvider("openrouter", ProviderSettings.model_validate({"api_key": "sk-or-example"}))
STARTER = FoundProvider(
    "starter", ProviderSettings(kind="starter"), (ModelInfo("smollm2-135m-instruct", 8192, False, tiny=True),)
)
FREE = "openrouter/nvidia/nemotron-3-super-120b-a12b:free"
FREE_CHEAP = "openrouter/google/gemma-4-31b-it:free"


def local(name: str, port: int, *models: ModelInfo) -> FoundProvider:
    return FoundProvider(name, ProviderSettings(api_base=f"http://127.0.0.1:{port}/v1"), models)


SMALL = local("llama", 8080, ModelInfo("qwen-4b", 8192, True))
BIG = local("ollama", 11434, ModelInfo("qwen-32b", 32768, True, "capable"))


def chain(role: str, *found: FoundProvider) -> list[str]:
    catalog = Catalog().adopting(found)
    return [str(candidate.route) for candidate in ModelRouter(catalog).candidates(role)]


def test_a_strong_cloud_model_reasons_before_a_small_local_one_which_works_before_it() -> None:
    assert chain("reasoning", SMALL, OPENAI) == ["openai/gpt-6-sol", "llama/qwen-4b", "openai/gpt-6-luna"]
    for role in ("rlm", "compaction", "reflection"):
        assert chain(role, SMALL, OPENAI) == ["llama/qwen-4b", "openai/gpt-6-luna", "openai/gpt-6-sol"]


def test_a_capable_local_model_reasons_before_the_cloud() -> None:
    assert chain("reasoning", SMALL, BIG, OPENAI)[:3] == [
        "ollama/qwen-32b",
        "openai/gpt-6-sol",
        "llama/qwen-4b",
    ]


def test_local_servers_stand_in_the_order_in_which_they_were_found() -> None:
    assert chain("rlm", BIG, SMALL) == ["ollama/qwen-32b", "llama/qwen-4b"]


def test_one_key_makes_the_cheap_model_of_that_provider_the_worker() -> None:
    assert chain("reasoning", GROQ) == ["groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-20b"]
    assert chain("rlm", GROQ) == ["groq/openai/gpt-oss-20b", "groq/openai/gpt-oss-120b"]


def test_memorys_roles_take_what_is_free_before_what_is_cheap() -> None:
    assert chain("rlm", OPENAI, OPENROUTER) == ["openai/gpt-6-luna", FREE_CHEAP, "openai/gpt-6-sol", FREE]
    assert chain("compaction", OPENAI, OPENROUTER)[0] == FREE_CHEAP


def test_the_built_in_model_is_always_last() -> None:
    for role in ("reasoning", "rlm", "compaction", "reflection"):
        assert chain(role, STARTER, SMALL, OPENAI)[-1] == "starter/smollm2-135m-instruct"
        assert len(chain(role, STARTER, SMALL, OPENAI)) == 4


def test_nothing_found_is_an_empty_chain_for_a_role() -> None:
    assert chain("reasoning") == []


def test_a_server_that_has_not_told_its_models_stands_for_whichever_it_serves() -> None:
    assert chain("reasoning", local("llama", 8080)) == ["llama"]


def test_configured_providers_without_roles_follow_the_same_rule() -> None:
    catalog = Catalog.of(
        {
            "groq": ProviderSettings.model_validate({"api_key": "gsk-example"}),
            "home": ProviderSettings(
                api_base="http://192.168.1.5:8080/v1",
                models=["big"],
                model_info={"big": ModelSettings(tier="capable")},
            ),
        }
    )
    assert [str(c.route) for c in ModelRouter(catalog).candidates("reasoning")] == [
        "home/big",
        "groq/openai/gpt-oss-120b",
        "groq/openai/gpt-oss-20b",
    ]


def test_an_open_role_beside_a_set_one_follows_the_rule_and_says_so() -> None:
    settings = {"groq": ProviderSettings.model_validate({"api_key": "gsk-example"})}
    router = ModelRouter(Catalog.of(settings, {"main": "groq/x"}, {"reasoning": "main"}))

    assert [str(c.route) for c in router.candidates("reasoning")] == ["groq/x"]
    assert str(router.candidates("rlm")[0].route) == "groq/openai/gpt-oss-20b"
    assert "not set in [roles]" in router.resolve("rlm").steps[0]


@pytest.mark.parametrize("known", ["aliases", "fallback"])
def test_an_alias_or_chain_of_a_roles_usual_name_serves_it(known: str) -> None:
    settings = {"groq": ProviderSettings.model_validate({"api_key": "gsk-example"})}
    aliases = {"memory": "groq/m"} if known == "aliases" else {}
    fallback = {"memory": ["groq/m"]} if known == "fallback" else {}
    router = ModelRouter(Catalog.of(settings, aliases, {}, fallback))

    assert [str(c.route) for c in router.candidates("reflection")] == ["groq/m"]


def test_what_a_person_may_choose_from_holds_aliases_and_every_known_model() -> None:
    settings = {"groq": ProviderSettings.model_validate({"api_key": "gsk-example", "models": ["own"]})}
    names = ModelRouter(Catalog.of(settings, {"fast": "groq/own"})).names()

    assert names[:2] == ("fast", "groq/openai/gpt-oss-120b")
    assert "groq/own" in names


def test_candidates_carry_what_is_known_of_the_model() -> None:
    [first, *_] = ModelRouter(Catalog().adopting([SMALL])).candidates("reasoning")

    assert first.route == Route("llama", "qwen-4b")
    assert first.info == ModelInfo("qwen-4b", 8192, True, "weak")
    assert first.local
