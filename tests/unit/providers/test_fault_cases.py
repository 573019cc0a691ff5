"""The forty ways of failing, on real sockets: whoever fails, the next candidate answers, and the path says
why.
"""

from __future__ import annotations

import pytest

from providers.client import ModelClient
from providers.errors import NoModel
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Message, ToolDef
from tests.fakes.llm import LLMFake
from tests.fakes.llm.cases import Case, cases, playing

TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {}})
ASK = ChatRequest((Message("user", "hello there"),), (TOOL,), max_tokens=50, timeout=20)

# What the first candidate's attempts are noted as; "" is an answer of its own.
EXPECTED: dict[int, list[str]] = {
    1: ["Unreachable"],
    2: ["Stalled"],
    3: ["Misconfigured"],
    4: ["ServerError", ""],
    5: ["ServerError"] * 2,
    6: ["ServerError"] * 2,
    7: ["Overloaded"],
    8: ["Overloaded"],
    9: ["Overloaded"] * 2,
    10: ["RateLimited"],
    11: ["RateLimited"],
    12: ["RateLimited"],
    13: ["RateLimited"],
    14: ["OutOfMoney"],
    15: ["OutOfMoney"],
    16: ["UnknownModel"],
    17: ["Overloaded"] * 2,
    18: ["Denied"],
    19: ["RateLimited"],
    20: ["OutOfMoney"],
    21: ["Refused"],
    22: ["OutOfMoney"],
    23: ["UnknownModel"],
    24: ["NoToolSupport"],
    25: ["Withheld"],
    26: ["TooLong"],
    27: ["TooLong"],
    28: ["RateLimited"],
    29: [""],
    30: ["ServerError"] * 2,
    31: ["Empty"] * 2,
    32: ["Stalled"],
    33: [""],
    34: ["RateLimited"],
    35: ["ServerError"] * 2,
    36: ["CutStream"] * 2,
    37: ["Stalled"],
    38: [""],
    39: ["Loading"],
    40: ["Unreachable"],
}


@pytest.mark.parametrize("number", EXPECTED)
async def test_a_case(number: int) -> None:
    case = cases(second=1.0 if number == 39 else 0.005)[number]  # 39 has to last longer than the call
    async with playing(case) as llm, LLMFake() as healthy:
        client = client_of(case, llm, healthy)
        try:
            path = (await client.chat("reasoning", ASK)).path
        except NoModel as error:
            path = error.path
        await client.aclose()

    assert [attempt.error for attempt in path if attempt.route.provider == "first"] == EXPECTED[number]
    answered = [attempt.route.provider for attempt in path if not attempt.error]
    if number == 21:  # what one provider's policy refuses is not asked of another behind the user's back
        assert answered == []
    else:
        assert answered == ["first" if "" in EXPECTED[number] else "healthy"]


def client_of(case: Case, llm: LLMFake, healthy: LLMFake) -> ModelClient:
    limits = {"first_token_timeout": 0.5, "between_tokens_timeout": 0.5}
    first = {"api_base": llm.base_url, "default_model": case.setup.models[0], **limits}
    settings = {
        "first": ProviderSettings.model_validate(first),
        "healthy": ProviderSettings(api_base=healthy.base_url, default_model="fake-1"),
    }
    return ModelClient(Catalog.of(settings, {}, {"reasoning": "first"}, {"reasoning": ["first", "healthy"]}))
