"""The answers of local servers' own endpoints, as their documentation has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from providers import local, nanbeige
from providers.errors import Loading, ServerError
from providers.types import ChatRequest, Message, ModelInfo

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
        "able:30b": {
            "capabilities": ["completion", "tools", "vision"],
            "parameters": "stop x\nnum_ctx    16384",
        },
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
        ModelInfo("able:30b", 16384, True, "capable", vision=True, thinks=False, slots=1, loaded=False),
        ModelInfo("plain:8b", 32768, False, "weak", vision=False, thinks=False, slots=1, loaded=True),
        ModelInfo("old", local.OLLAMA_WINDOW, None, "capable", slots=1, loaded=False),
    )


async def test_lm_studio_puts_what_is_loaded_first() -> None:
    models = [
        {"type": "embedding", "key": "e", "loaded_instances": []},
        {
            "type": "llm",
            "key": "idle-9b",
            "loaded_instances": [],
            "max_context_length": 131072,
            "capabilities": {"vision": True, "trained_for_tool_use": True},
        },
        {
            "type": "llm",
            "key": "loaded-9b",
            "loaded_instances": [{"id": "x", "config": {"context_length": 4096, "parallel": 4}}],
            "max_context_length": 131072,
        },
    ]

    assert await local.lm_studio(Answers(api__v1__models={"models": models}), ROOT) == (
        ModelInfo("loaded-9b", 4096, None, "weak", slots=4, loaded=True),
        ModelInfo("idle-9b", None, True, "weak", vision=True, slots=1, loaded=False),
    )


async def test_an_older_lm_studio_is_asked_by_its_own_path() -> None:
    models = [
        {"id": "idle", "type": "vlm", "state": "not-loaded", "max_context_length": 32768},
        {
            "id": "busy",
            "type": "llm",
            "state": "loaded",
            "max_context_length": 32768,
            "loaded_context_length": 8192,
            "capabilities": ["tool_use"],
        },
        {"id": "e", "type": "embeddings", "state": "loaded"},
    ]
    ask = Answers(
        api__v1__models={"error": "Unexpected endpoint or method."},
        api__v0__models={"object": "list", "data": models},
    )

    assert await local.lm_studio(ask, ROOT) == (
        ModelInfo("busy", 8192, True, slots=1, loaded=True),
        ModelInfo("idle", None, None, vision=True, slots=1, loaded=False),
    )


PROPS = {
    "default_generation_settings": {"n_ctx": 2048},
    "chat_template_caps": {"supports_tools": True},
    "total_slots": 4,
    "modalities": {"vision": True, "audio": False},
}


def llama(name: str, state: str = "", **more: Any) -> dict[str, Any]:
    status = {"status": {"value": state, **more}} if state else {}
    return {"id": name, "owned_by": "llamacpp", **status}


async def test_llama_server_tells_the_window_of_one_slot_its_slots_and_its_template() -> None:
    listed = {"data": [llama("m") | {"meta": {"n_ctx": 8192, "n_params": 30_500_000_000}}]}

    assert await local.llama_server(Answers(props=PROPS), ROOT, listed) == (
        ModelInfo("m", 2048, True, "capable", vision=True, slots=4, loaded=True),
    )


async def test_an_older_llama_server_has_one_slot() -> None:
    [info] = await local.llama_server(Answers(props={}), ROOT, {"data": [llama("m")]})

    assert (info.slots, info.tools, info.vision) == (1, None, None)


async def test_the_one_model_of_llama_server_answers_to_any_name() -> None:
    listed = {"data": [llama("m.gguf")]}

    models = await local.describe(Answers(props=PROPS), f"{ROOT}/v1", listed, ["mine", "m.gguf", "mine"])

    assert [(model.id, model.context_window) for model in models] == [("m.gguf", 2048), ("mine", 2048)]


async def test_a_router_tells_of_each_model_that_it_has_loaded_and_loads_none_for_that() -> None:
    listed = {
        "data": [
            llama("broken", "unloaded", failed=True, exit_code=1),
            llama("idle-4b", "unloaded"),
            llama("coming", "loading"),
            llama("not/yet", "downloading"),
            llama("org/asleep:Q4", "sleeping"),
            llama("awake", "loaded"),
        ]
    }
    ask = Answers(
        props={"role": "router", "default_generation_settings": {"n_ctx": 0}},
        **{
            "props?model=awake&autoload=false": PROPS,
            "props?model=org%2Fasleep%3AQ4&autoload=false": PROPS | {"total_slots": 1, "is_sleeping": True},
        },
    )

    assert await local.llama_server(ask, ROOT, listed) == (
        ModelInfo("awake", 2048, True, vision=True, slots=4, loaded=True),
        ModelInfo("org/asleep:Q4", 2048, True, vision=True, slots=1, loaded=True),
        ModelInfo("idle-4b", slots=1, loaded=False),
        ModelInfo("coming", slots=1, loaded=False),
        ModelInfo("broken", slots=1, loaded=False),
    )
    assert not [path for path, _ in ask.asked if "idle" in path]


def test_nanbeige_gets_a_system_message_and_room_to_think() -> None:
    bare = ChatRequest((Message("user", "Hi."),), max_tokens=100)

    suited = nanbeige.suited("Nanbeige4.1-3B.Q4_K_M", bare)

    assert [message.role for message in suited.messages] == ["system", "user"]
    assert suited.max_tokens == nanbeige.ROOM_TO_THINK
    assert nanbeige.suited("nanbeige", suited) == suited
    assert nanbeige.suited("qwen3.5-4b", bare) == bare
    assert nanbeige.suited("nanbeige", replace(bare, max_tokens=None)).max_tokens is None


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
