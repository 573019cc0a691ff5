"""Never from free to paid without the owner's word: in chains that nobody wrote, a paid model after a free one waits
for `[limits] paid_fallback`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from providers import errors
from providers.client import ModelClient
from providers.errors import NoModel
from providers.registry import Catalog, Registry
from providers.settings import Limits, ProviderSettings
from providers.testing import Clock, ScriptedProvider
from providers.types import ChatReply, ChatRequest, Message, ModelInfo, ToolDef
from tests.fakes.llm import LLMFake, Reply

ASK = ChatRequest((Message("user", "hello"),))
LOCAL = {"api_base": "http://127.0.0.1:9/v1", "default_model": "home"}
CAPABLE = {**LOCAL, "model_info": {"home": {"tier": "capable"}}}
PAID = {"api_key": "sk"}
ALLOWED = Limits(paid_fallback=True)


def client(
    providers: Mapping[str, Mapping[str, Any]],
    limits: Limits | None = None,
    roles: Mapping[str, str] | None = None,
    fallback: Mapping[str, list[str]] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> ModelClient:
    """Free models fail, all others answer."""

    def make(name: str, settings: ProviderSettings) -> ScriptedProvider:
        free = name in ("llama", "openrouter")
        return ScriptedProvider(name=name, after=errors.Denied() if free else f"{name} answers")

    configured = {name: ProviderSettings.model_validate(one) for name, one in providers.items()}
    clock, catalog = Clock(), Catalog.of(configured, aliases, roles, fallback)
    for name in set(providers) & {"llama", "home"}:
        catalog = catalog.listing(name, [ModelInfo("home", 32_000, tools=True)])
    return ModelClient(catalog, Registry(make), None, clock, clock.sleep, limits=limits)


def outcome(reply: ChatReply | NoModel) -> list[tuple[str, str]]:
    return list(dict.fromkeys((attempt.route.provider, attempt.error) for attempt in reply.path))


async def test_a_paid_model_does_not_step_in_for_a_free_one() -> None:
    with pytest.raises(NoModel) as nobody:
        await client({"llama": CAPABLE, "openai": PAID}).chat("reasoning", ASK)

    assert outcome(nobody.value) == [("llama", "Denied"), ("openai", "CostsMoney")]
    last = nobody.value.path[-1]
    assert not last.called
    assert "`[limits] paid_fallback = true`" in last.detail


@pytest.mark.parametrize("role", ["reasoning", "rlm", "compaction", "reflection"])
async def test_it_does_with_the_owners_leave(role: str) -> None:
    models = client({"llama": CAPABLE, "openai": PAID}, ALLOWED)

    assert (await models.chat(role, ASK)).route.provider == "openai"


async def test_that_leave_may_be_given_later() -> None:
    models = client({"llama": CAPABLE, "openai": PAID})
    await models.adopt(models.catalog, ALLOWED)

    assert (await models.chat("reasoning", ASK)).route.provider == "openai"


async def test_the_whole_of_a_written_chain_is_used() -> None:
    written = {"reasoning": ["llama", "openai"]}
    for models in (
        client({"llama": CAPABLE, "openai": PAID}, fallback=written),
        client({"llama": CAPABLE, "openai": PAID}, roles={"reasoning": "llama"}, fallback=written),
        client(
            {"llama": CAPABLE, "openai": PAID}, fallback={"main": ["openai"]}, aliases={"main": "llama/home"}
        ),
    ):
        assert (await models.chat("reasoning", ASK)).route.provider == "openai"


async def test_another_role_that_nobody_wrote_is_not_covered_by_a_written_one() -> None:
    models = client({"llama": CAPABLE, "openai": PAID}, fallback={"reasoning": ["llama", "openai"]})

    with pytest.raises(NoModel):
        await models.chat("rlm", ASK)


async def test_where_the_best_costs_money_anyway_another_paid_one_may_follow() -> None:
    models = client({"openai": PAID, "llama": LOCAL, "groq": PAID})
    await models.adopt(models.catalog)
    assert (await models.chat("reasoning", ASK)).route.provider == "openai"
    # The weak local model stands between the strong and the cheap ones.
    routes = [candidate.route.provider for candidate in models.candidates("reasoning")]
    assert routes == ["openai", "groq", "llama", "openai", "groq"]


async def test_a_paid_model_is_used_where_one_was_the_first_of_all() -> None:
    models = client({"llama": LOCAL, "deepseek": PAID})
    reply = await models.chat("reasoning", ASK)

    assert outcome(reply) == [("deepseek", "")]


async def test_a_model_chosen_by_name_may_cost() -> None:
    models = client({"llama": CAPABLE, "openai": PAID})

    assert (await models.chat("openai/gpt-6-luna", ASK)).route.provider == "openai"


async def test_a_free_model_without_tools_answers_before_a_paid_one_with_them() -> None:
    models = client({"home": CAPABLE, "openai": PAID})
    await models.adopt(models.catalog.listing("home", [ModelInfo("home", 32_000, tools=False)]))

    reply = await models.chat("reasoning", ChatRequest(ASK.messages, (ToolDef("look", "Looks.", {}),)))

    assert outcome(reply) == [("openai", "CostsMoney"), ("home", "")]


async def test_openrouters_free_models_lead_to_no_paid_provider() -> None:
    with pytest.raises(NoModel) as nobody:
        await client({"openrouter": PAID, "groq": PAID}).chat("compaction", ASK)

    assert ("groq", "CostsMoney") in outcome(nobody.value)
    assert ("groq", "") not in outcome(nobody.value)


async def test_where_a_free_variant_has_ended_its_paid_twin_is_not_asked() -> None:
    ended = {
        "error": {
            "message": "The free variant of this model has ended.",
            "code": 404,
            "metadata": {
                "availability": {
                    "code": "free_variant_ended",
                    "retryable": False,
                    "fallback_models": ["a/twin"],
                }
            },
        }
    }
    async with LLMFake() as llm:
        llm.push(*[Reply.error(404, ended)] * 5)
        paid = {"price": {"prompt": 1, "completion": 2}, "tools": True}
        known = {"a/twin": paid, "b/other": paid}
        settings = {"api_base": llm.base_url, "api_key": "sk", "model_info": known}
        catalog = Catalog.of(
            {"or": ProviderSettings.model_validate(settings)}, {}, {"reasoning": "or/a/twin:free"}
        )
        models = ModelClient(catalog)
        with pytest.raises(NoModel):
            await models.chat("reasoning", ASK)
        await models.aclose()

        assert {recorded.body["model"] for recorded in llm.requests} == {"a/twin:free"}
