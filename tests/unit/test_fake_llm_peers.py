"""The fake LLM passes for the servers that are told apart by their answers, and refuses what they refuse."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fakes.llm import LLMFake, Reply, Setup
from tests.unit.llm_reader import QUESTION, STREAM, ask


async def get(llm: LLMFake, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=llm.url, trust_env=False) as client:
        return await client.get(path, **options)


async def test_llama_server_tells_window_and_tools() -> None:
    async with LLMFake(setup=Setup(kind="llama-server", n_ctx=2048, tools=False)) as llm:
        health, models, props = [await get(llm, path) for path in ("/health", "/v1/models", "/props")]
        elsewhere = await get(llm, "/")

    assert (health.json(), health.headers["server"]) == ({"status": "ok"}, "llama.cpp")
    assert models.json()["data"][0]["meta"]["n_ctx"] == 2048
    assert props.json()["default_generation_settings"]["n_ctx"] == 2048
    assert props.json()["chat_template_caps"]["supports_tools"] is False
    assert (elsewhere.status_code, elsewhere.json()["error"]["code"]) == (404, 404)


async def test_llama_server_closes_connections_after_streams_and_errors() -> None:
    async with (
        LLMFake(Reply("a"), Reply("b"), setup=Setup(kind="llama-server")) as llm,
        httpx.AsyncClient(base_url=llm.base_url, trust_env=False) as client,
    ):
        await client.post("chat/completions", json=QUESTION)
        await client.post("chat/completions", json=STREAM)
        await llm.until(lambda: llm.open_connections == 0)
        error = await client.get("elsewhere")

    assert [each.connection for each in llm.requests] == [1, 1]
    assert error.headers["connection"] == "close"


async def test_llama_server_loads_first_on_every_path() -> None:
    async with LLMFake(setup=Setup(kind="llama-server")) as llm:
        llm.load_for(60)
        answers = [await get(llm, path) for path in ("/health", "/v1/models", "/props")]
        assert {answer.status_code for answer in answers} == {503}
        assert answers[0].json()["error"] == {
            "code": 503,
            "message": "Loading model",
            "type": "unavailable_error",
        }
        assert (await ask(llm)).status == 503

        llm.load_for(0)
        assert (await get(llm, "/health")).status_code == 200


async def test_llama_server_names_the_window_that_a_prompt_exceeds() -> None:
    async with LLMFake(setup=Setup(kind="llama-server", n_ctx=100, window_enforced=True)) as llm:
        assert (await ask(llm)).status == 200
        long = await ask(llm, STREAM | {"messages": [{"role": "user", "content": "word " * 200}]})

    assert (long.status, long.json["error"]["type"]) == (400, "exceed_context_size_error")
    assert long.json["error"]["n_ctx"] == 100


async def test_ollama_tells_its_models_and_what_they_can() -> None:
    async with LLMFake(setup=Setup(kind="ollama", models=("qwen:4b", "tiny:1b"), n_ctx=4096)) as llm:
        root, tags, running, elsewhere = [await get(llm, p) for p in ("/", "/api/tags", "/api/ps", "/health")]
        async with httpx.AsyncClient(base_url=llm.url) as client:
            shown = await client.post("/api/show", json={"model": "qwen:4b"})
            unknown = await client.post("/api/show", json={"model": "none"})
        refused = await ask(llm, STREAM | {"model": "none"})

    assert root.text == "Ollama is running"
    assert [row["name"] for row in tags.json()["models"]] == ["qwen:4b", "tiny:1b"]
    assert running.json()["models"][0]["context_length"] == 4096
    assert shown.json()["capabilities"] == ["completion", "tools"]
    assert (unknown.status_code, unknown.json()) == (404, {"error": "model 'none' not found"})
    assert (elsewhere.status_code, elsewhere.text) == (404, "404 page not found")
    assert (refused.status, "try pulling it first" in refused.json["error"]["message"]) == (404, True)


async def test_lm_studio_lists_instances_and_answers_everything_with_200() -> None:
    async with LLMFake(setup=Setup(kind="lm-studio", n_ctx=4096)) as llm:
        models, root = await get(llm, "/api/v1/models"), await get(llm, "/")

    row = models.json()["models"][0]
    assert row["loaded_instances"][0]["config"]["context_length"] == 4096
    assert row["capabilities"]["trained_for_tool_use"] is True
    assert (root.status_code, list(root.json())) == (200, ["error"])


async def test_vllm_has_a_version_and_an_empty_health() -> None:
    async with LLMFake(setup=Setup(kind="vllm", n_ctx=4096)) as llm:
        health, version, models = [await get(llm, path) for path in ("/health", "/version", "/v1/models")]

    assert (health.status_code, health.content) == (200, b"")
    assert list(version.json()) == ["version"]
    assert models.json()["data"][0]["max_model_len"] == 4096


async def test_openrouter_lists_prices_and_always_sends_usage() -> None:
    setup = Setup(kind="openrouter", models=("vendor/m:free", "vendor/m"), prefix="/api/v1")
    async with LLMFake(setup=setup) as llm:
        models = await get(llm, "/api/v1/models")
        seen = await ask(llm, STREAM | {"model": "vendor/m:free"})

    assert [row["pricing"]["prompt"] == "0" for row in models.json()["data"]] == [True, False]
    assert "tools" in models.json()["data"][0]["supported_parameters"]
    assert seen.events[-1]["usage"]["total_tokens"] > 0


async def test_a_website_answers_everything_with_a_page() -> None:
    async with LLMFake(setup=Setup(kind="website")) as llm:
        answers = [await get(llm, path) for path in ("/", "/health", "/v1/models", "/api/tags", "/props")]
        chat = await ask(llm)

    assert {(each.status_code, each.headers["content-type"]) for each in answers} == {
        (200, "text/html; charset=utf-8")
    }
    assert (chat.status, chat.body.startswith(b"<!doctype html>")) == (200, True)


async def test_the_api_is_at_its_prefix_only() -> None:
    async with LLMFake(setup=Setup(prefix="/openai/v1")) as llm:
        assert llm.base_url.endswith("/openai/v1")
        assert (await get(llm, "/openai/v1/models")).json()["data"][0]["id"] == "fake-1"
        assert (await get(llm, "/v1/models")).status_code == 404
        assert (await ask(llm)).text == "You said: Hello?"


async def test_probes_are_logged_apart_from_chat() -> None:
    async with LLMFake() as llm:
        await get(llm, "/v1/models")
        await ask(llm)

    assert [each.path for each in llm.probes] == ["/v1/models"]
    assert [each.path for each in llm.requests] == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("openai", "Incorrect API key provided: wro***."),
        ("llama-server", "Invalid API Key"),
        ("openrouter", "No cookie auth credentials found"),
        ("vllm", "Unauthorized"),
    ],
)
async def test_a_wrong_key_is_refused_and_seen(kind: Any, text: str) -> None:
    async with LLMFake(setup=Setup(kind=kind, key="right")) as llm:
        wrong = await ask(llm, headers={"Authorization": "Bearer wrong-key"})
        missing = await ask(llm)
        right = await ask(llm, headers={"Authorization": "Bearer right"})
        other_header = await ask(llm, headers={"X-Api-Key": "right"})
        listed = await get(llm, "/v1/models")

    assert (wrong.status, text in wrong.body.decode()) == (401, True)
    assert (missing.status, right.status, other_header.status, listed.status_code) == (401, 200, 200, 401)
    assert [each.headers.get("authorization") for each in llm.requests] == [
        "Bearer wrong-key",
        None,
        "Bearer right",
        None,
    ]


USER = {"role": "user", "content": "Hello?"}


def called(arguments: Any = "{}", id_: str = "call_1") -> dict[str, Any]:
    call = {"id": id_, "type": "function", "function": {"name": "clock", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(id_: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": "noon"}


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [{"role": "system", "content": "Be brief."}, USER],
        [USER, called(), result()],
        [USER, called(), result(), {"role": "assistant", "content": "It is noon."}, USER],
        [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    ],
)
async def test_sound_histories_are_taken(messages: list[dict[str, Any]]) -> None:
    async with LLMFake() as llm:
        assert (await ask(llm, STREAM | {"messages": messages})).status == 200


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"messages": []}, "'messages' is required"),
        ({"model": "other"}, "does not exist"),
        ({"stream": False, "stream_options": {"include_usage": True}}, "stream_options"),
        ({"tools": []}, "too short"),
        ({"tools": [{"name": "clock"}]}, "tools[0].function.name"),
        ({"messages": [USER | {"role": "robot"}]}, "Supported values"),
        ({"messages": [USER | {"content": None}]}, "expected a string"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, "got null"),
        ({"messages": [USER, {"role": "assistant", "content": "x", "tool_calls": []}]}, "too short"),
        ({"messages": [USER, called()]}, "without response: call_1"),
        ({"messages": [USER, called(), USER]}, "without response: call_1"),
        ({"messages": [USER, called(), result("call_2"), result()]}, "must answer a message"),
        ({"messages": [USER, result()]}, "must answer a message"),
        ({"messages": [USER, called({}), result()]}, "expected a string"),
        ({"messages": [USER, called('{"a'), result()]}, "Failed to parse tool call arguments as JSON"),
    ],
)
async def test_faulty_requests_are_refused(change: dict[str, Any], text: str) -> None:
    async with LLMFake() as llm:
        seen = await ask(llm, STREAM | change)

    assert seen.status in (400, 404)
    assert text in seen.json["error"]["message"]


async def test_llama_server_takes_any_model_and_fails_on_cut_arguments() -> None:
    async with LLMFake(setup=Setup(kind="llama-server")) as llm:
        assert (await ask(llm, STREAM | {"model": "any"})).status == 200
        cut = await ask(llm, STREAM | {"messages": [USER, called('{"a'), result()]})

    assert (cut.status, cut.json["error"]["type"]) == (500, "server_error")


async def test_a_lax_server_takes_anything() -> None:
    async with LLMFake(setup=Setup(strict=False)) as llm:
        assert (await ask(llm, STREAM | {"model": "other", "messages": [USER, called()]})).status == 200
