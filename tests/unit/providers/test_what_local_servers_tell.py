"""The answers of local servers' own endpoints, as their documentation has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from providers import local
from providers.errors import Loading, ServerError
from providers.types import ModelInfo

ROOT = "http://127.0.0.1:1"


class Answers:
    """Stands for the server: what each path answers."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {path.replace("__", "/"): answer for path, answer in answers.items()}
        self.asked: list[tuple[str, Any]] = []

    async def __call__(self, url: str, body: Mapping[str, Any] | None = None) -> Any:
        path = url.removeprefix(f"{ROOT}/")
        self.asked.append((path, body))
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer(body) if callable(answer) else answer


def tag(name: str, size: str = "8B", **more: Any) -> dict[str, Any]:
    return {"name": name, "model": name, "details": {"parameter_size": size}, **more}


async def test_ollama_lists_chat_models_that_run_here_those_with_tools_first() -> None:
    shown = {
        "plain:8b": {"capabilities": ["completion"]},
        "able:30b": {"capabilities": ["completion", "tools"], "parameters": "stop x\nnum_ctx    16384"},
        "mxbai": {"capabilities": ["embedding"]},
        "old": {},
    }
    tags = [
        tag("plain:8b"),
        tag("able:30b", "30.5B"),
        tag("mxbai"),
        tag("nomic-embed-text:latest"),
        tag("gpt-oss:120b-cloud"),
        tag("far", remote_host="https://ollama.com"),
        tag("old", "70B"),
    ]
    ask = Answers(
        api__tags={"models": tags},
        api__ps={"models": [{"name": "plain:8b", "context_length": 32768}]},
        api__show=lambda body: shown[body["model"]],
    )

    assert await local.ollama(ask, ROOT) == (
        ModelInfo("able:30b", 16384, True, "capable"),
        ModelInfo("plain:8b", 32768, False, "weak"),
        ModelInfo("old", local.OLLAMA_WINDOW, None, "capable"),
    )


async def test_lm_studio_puts_what_is_loaded_first() -> None:
    models = [
        {"type": "embedding", "key": "e", "loaded_instances": []},
        {
            "type": "llm",
            "key": "idle-9b",
            "loaded_instances": [],
            "capabilities": {"trained_for_tool_use": True},
        },
        {
            "type": "llm",
            "key": "loaded-9b",
            "loaded_instances": [{"id": "x", "config": {"context_length": 4096}}],
            "max_context_length": 131072,
        },
    ]

    assert await local.lm_studio(Answers(api__v1__models={"models": models}), ROOT) == (
        ModelInfo("loaded-9b", 4096, None, "weak"),
        ModelInfo("idle-9b", None, True, "weak"),
    )


async def test_llama_server_tells_the_window_of_one_slot_and_its_template() -> None:
    props = {"default_generation_settings": {"n_ctx": 2048}, "chat_template_caps": {"supports_tools": True}}

    assert await local.llama_server(Answers(props=props), ROOT, [ModelInfo("m", 8192)]) == (
        ModelInfo("m", 2048, True),
    )


async def test_a_router_of_several_models_tells_nothing_of_each() -> None:
    props = {"role": "router", "default_generation_settings": {"n_ctx": 0}, "chat_template_caps": {}}

    assert await local.llama_server(Answers(props=props), ROOT, [ModelInfo("a"), ModelInfo("b")]) == (
        ModelInfo("a"),
        ModelInfo("b"),
    )


LISTED = {"data": [{"id": "m-32b", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}}]}


async def test_a_failing_endpoint_leaves_what_the_list_said() -> None:
    ask = Answers(props=ServerError())

    assert await local.describe(ask, f"{ROOT}/v1", LISTED) == (ModelInfo("m-32b", 4096, None, "capable"),)


async def test_loading_is_said_on() -> None:
    with pytest.raises(Loading):
        await local.describe(Answers(props=Loading()), f"{ROOT}/v1", LISTED)


@pytest.mark.parametrize(
    ("name", "size", "tier"),
    [
        ("qwen3-4b", "", "weak"),
        ("qwen3:32b", "", "capable"),
        ("Nanbeige4.1-3B", "", "weak"),
        ("gpt-oss:20b", "", "capable"),
        ("llama", "70.6B", "capable"),
        ("mistral-small", "", "weak"),
        ("qwen3-30b-a3b", "", "capable"),
        ("phi", "3.8B", "weak"),
        ("b2b-8b", "", "weak"),
    ],
)
def test_a_tier_by_size(name: str, size: str, tier: str) -> None:
    assert local.tier_of(name, size) == tier


@pytest.mark.parametrize(
    "body", [None, [], {}, {"data": None}, {"data": [None, 7, {}]}, {"models": "x"}, "text"]
)
def test_a_list_without_models_is_empty(body: object) -> None:
    assert local.parse_models(body) == ()
