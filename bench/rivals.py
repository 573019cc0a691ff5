"""Other people's routers on the same server in the same run, where they are installed; see docs/BENCHMARK.md.

They are no dependency of this project, so they are imported by name and only if present. Each is set up as its
documentation has it, without retries of its own, so that a candidate that refuses is left at once.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from bench.client import QUESTION
from bench.contest import FAILING, MODEL, Ask, Contestant, Scenario

_MAX_TOKENS = 200
_COOLDOWN = 3600.0


def installed() -> Iterator[Contestant]:
    """Those that can be imported here, with their versions in their names."""
    if importlib.util.find_spec("litellm"):
        yield Contestant(f"litellm {importlib.metadata.version('litellm')}", _litellm)
    if importlib.util.find_spec("pydantic_ai") and importlib.util.find_spec("openai"):
        yield Contestant(f"pydantic-ai {importlib.metadata.version('pydantic-ai-slim')}", _pydantic_ai)


@asynccontextmanager
async def _litellm(base_url: str, scenario: Scenario) -> AsyncIterator[Ask]:
    """`Router` with one group a candidate and a list of fallbacks. It cools a group down where that may rest."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import fetches a list from the network
    litellm: Any = importlib.import_module("litellm")
    for name in ("LiteLLM", "LiteLLM Router"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # it logs each refusal with its trace
    chain = _chain(scenario)
    router = litellm.Router(
        model_list=[
            {
                "model_name": f"p{number}",
                "litellm_params": {"model": f"openai/{model}", "api_base": base_url, "api_key": "none"},
            }
            for number, model in enumerate(chain)
        ],
        fallbacks=[{"p0": [f"p{number}" for number in range(1, len(chain))]}],
        max_fallbacks=len(chain),
        num_retries=0,
        cooldown_time=_COOLDOWN,
        allowed_fails=0,
        disable_cooldowns=not scenario.rests,
    )
    messages = [{"role": "system", "content": QUESTION[0]}, {"role": "user", "content": QUESTION[1]}]

    async def ask() -> None:
        stream = await router.acompletion(model="p0", messages=messages, max_tokens=_MAX_TOKENS, stream=True)
        text = ""
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""
        assert text.startswith("word0 word1 ")

    yield ask


@asynccontextmanager
async def _pydantic_ai(base_url: str, scenario: Scenario) -> AsyncIterator[Ask]:
    """`FallbackModel` through its direct interface, without an agent around it. It has no memory of failures."""
    openai: Any = importlib.import_module("openai")
    fallback: Any = importlib.import_module("pydantic_ai.models.fallback")
    models: Any = importlib.import_module("pydantic_ai.models.openai")
    providers: Any = importlib.import_module("pydantic_ai.providers.openai")
    direct: Any = importlib.import_module("pydantic_ai.direct")
    parts: Any = importlib.import_module("pydantic_ai.messages")
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        provider = providers.OpenAIProvider(openai_client=client)
        chain = [models.OpenAIChatModel(model, provider=provider) for model in _chain(scenario)]
        model = fallback.FallbackModel(*chain)
        request = parts.ModelRequest(
            parts=[parts.SystemPromptPart(QUESTION[0]), parts.UserPromptPart(QUESTION[1])]
        )

        async def ask() -> None:
            async with direct.model_request_stream(
                model, [request], model_settings={"max_tokens": _MAX_TOKENS}
            ) as stream:
                async for _ in stream:
                    pass
                assert stream.get().parts[0].content.startswith("word0 word1 ")

        yield ask


def _chain(scenario: Scenario) -> list[str]:
    return [*(FAILING,) * scenario.failing, *(MODEL,) * scenario.healthy]
