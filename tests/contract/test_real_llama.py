"""What a real llama.cpp server does, as the stand-in in tests/fakes/llm has it and as the daemon has to take it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.llama import LlamaServer, llama_server

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def tool(name: str, description: str, *required: str, **optional: str) -> dict[str, Any]:
    properties = {each: {"type": "string"} for each in (*required, *optional)}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TOOLS = [
    tool("clock", "Tells the current date and time.", timezone="IANA name"),
    tool("files_read", "Reads a text file of the workspace.", "path"),
    tool("files_write", "Writes a text file in the workspace.", "path", "text"),
    tool("files_list", "Lists a folder of the workspace.", "path"),
]
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with llama_server("gemma") as server:
        yield server


class Client:
    """Plain HTTP, one fresh connection a request, as the server closes them at will."""

    def __init__(self, server: LlamaServer) -> None:
        self.server = server

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.server.url + path, timeout=60, trust_env=False)

    def post(self, messages: list[dict[str, Any]], **more: Any) -> httpx.Response:
        body = {"messages": messages, "temperature": 0, "seed": 1, "max_tokens": 60, **more}
        url = f"{self.server.base_url}/chat/completions"
        return httpx.post(url, json=body, timeout=240, trust_env=False)

    def ask(self, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        answer = self.post(messages, **more)
        assert answer.status_code == 200, answer.text
        choice: dict[str, Any] = answer.json()["choices"][0]
        return choice


@pytest.fixture
def client(server: LlamaServer) -> Client:
    return Client(server)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def only_call(choice: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    return call["function"]["name"], json.loads(call["function"]["arguments"])


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_it_says_what_it_is(client: Client) -> None:
    props = client.get("/props").json()

    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/v1/models").json()["data"][0]["meta"]["n_ctx"] == 4096
    assert props["default_generation_settings"]["n_ctx"] == 4096
    assert props["chat_template_caps"]["supports_tools"]
    assert client.get("/elsewhere").json()["error"]["code"] == 404


def test_it_chats(client: Client) -> None:
    choice = client.ask([user("What is the capital of France?")])

    assert choice["finish_reason"] == "stop"
    assert "Paris" in choice["message"]["content"]


def test_it_streams(client: Client) -> None:
    chunks = events(
        client.post(
            [user("What is the capital of France?")], stream=True, stream_options={"include_usage": True}
        )
    )

    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert "Paris" in text
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0


def test_a_tool_is_called_and_its_result_becomes_the_answer(client: Client) -> None:
    messages = [SYSTEM, user("What is in the file notes.txt?")]
    first = client.ask(messages, tools=TOOLS)
    assert only_call(first) == ("files_read", {"path": "notes.txt"})

    call = first["message"]["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": call, "content": "The code word is PELICAN."}
    second = client.ask([*messages, first["message"], result], tools=TOOLS)

    assert second["finish_reason"] == "stop"
    assert "PELICAN" in second["message"]["content"]


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("What time is it?", "clock"),
        ("What is in the file garden.md?", "files_read"),
        ("List the files in the folder docs.", "files_list"),
    ],
)
def test_the_right_tool_is_called(client: Client, question: str, name: str) -> None:
    assert only_call(client.ask([SYSTEM, user(question)], tools=TOOLS))[0] == name


def test_a_streamed_call_comes_in_fragments(client: Client) -> None:
    chunks = events(client.post([SYSTEM, user("What is in the file notes.txt?")], tools=TOOLS, stream=True))
    deltas = [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", [])
    ]

    assert len(deltas) > 2
    assert deltas[0]["function"]["name"] == "files_read"
    assert {delta["index"] for delta in deltas} == {0}
    assert json.loads("".join(delta["function"]["arguments"] for delta in deltas)) == {"path": "notes.txt"}


def test_the_token_limit_cuts_arguments_and_they_cannot_be_sent_back(client: Client) -> None:
    messages = [SYSTEM, user("What is in the file notes.txt?")]
    cut = client.ask(messages, tools=TOOLS, max_tokens=19)
    assert cut["finish_reason"] == "length"
    (call,) = cut["message"]["tool_calls"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(call["function"]["arguments"])

    result = {"role": "tool", "tool_call_id": call["id"], "content": "no"}
    answer = client.post([*messages, cut["message"], result], tools=TOOLS)

    assert answer.status_code == 500
    assert "Failed to parse tool call arguments as JSON" in answer.json()["error"]["message"]


def test_too_long_a_prompt_names_the_window(client: Client) -> None:
    answer = client.post([user("word " * 5000)])

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["type"], error["n_ctx"]) == (400, "exceed_context_size_error", 4096)


def test_the_connection_ends_after_a_stream_although_it_is_said_to_live(server: LlamaServer) -> None:
    body = json.dumps({"messages": [user("Hi")], "max_tokens": 4, "temperature": 0, "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=4) as connection:
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert b"Keep-Alive: timeout=5" in answer
    assert answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_a_template_without_tools_drops_them_silently() -> None:
    with llama_server("smollm2", n_ctx=2048) as server:
        client = Client(server)
        with_tools = client.post([user("What time is it?")], tools=TOOLS, max_tokens=4).json()
        without = client.post([user("What time is it?")], max_tokens=4).json()

        assert not client.get("/props").json()["chat_template_caps"]["supports_tools"]
        assert with_tools["usage"]["prompt_tokens"] == without["usage"]["prompt_tokens"]
