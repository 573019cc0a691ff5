"""The fake LLM speaks the format of chat completions, in all its spellings, and keeps a log."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.fakes.llm import CallStyle, Fault, Framing, LLMFake, Pace, Raw, Reply, Setup, ToolCall
from tests.unit.llm_reader import QUESTION, STREAM, ask

CLOCK = ToolCall("clock", {"timezone": "Europe/Rome"})
READ = ToolCall("files_read", {"path": "notes/today.md"})


async def test_a_stream_has_a_role_deltas_a_finish_and_an_end() -> None:
    async with LLMFake(Reply("Hello, you!")) as llm:
        seen = await ask(llm)

    assert seen.deltas[0] == {"role": "assistant", "content": ""}
    assert [delta["content"] for delta in seen.deltas[1:-1]] == ["Hel", "lo,", " yo", "u!"]
    assert (seen.finish, seen.done, seen.failure) == ("stop", True, "")
    assert not any(event.get("usage") for event in seen.events)


async def test_usage_comes_last_when_asked_for() -> None:
    async with LLMFake(Reply("Hello, you!")) as llm:
        seen = await ask(llm, STREAM | {"stream_options": {"include_usage": True}})

    assert seen.events[-1]["choices"] == []
    assert seen.events[-1]["usage"]["completion_tokens"] == 2
    assert seen.events[-2]["usage"] is None


async def test_a_plain_answer_is_one_json_object() -> None:
    async with LLMFake(Reply("Hello!", reasoning="Hm.")) as llm:
        seen = await ask(llm, QUESTION)

    choice = seen.json["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "Hello!", "reasoning_content": "Hm."}
    assert choice["finish_reason"] == "stop"
    assert seen.json["usage"]["total_tokens"] > 0
    assert seen.headers["content-length"] == str(len(seen.body))


async def test_replies_are_used_up_in_order_and_then_it_echoes() -> None:
    async with LLMFake(Reply("one"), Reply("two")) as llm:
        assert [(await ask(llm)).text for _ in range(3)] == ["one", "two", "You said: Hello?"]


async def test_replies_can_be_for_certain_requests() -> None:
    async with LLMFake(setup=Setup(models=("a", "b"))) as llm:
        llm.push(Reply("for b"), model="b")
        llm.push(Reply("about tea"), contains="tea", times=2)

        assert (await ask(llm, STREAM | {"model": "a"})).text == "You said: Hello?"
        assert (await ask(llm, STREAM | {"model": "b"})).text == "for b"
        tea = STREAM | {"model": "a", "messages": [{"role": "user", "content": "More tea?"}]}
        assert [(await ask(llm, tea)).text for _ in range(3)] == ["about tea"] * 2 + ["You said: More tea?"]


async def test_a_reply_can_be_computed_from_the_request() -> None:
    async with LLMFake(lambda body: Reply(body["messages"][0]["content"][::-1])) as llm:
        assert (await ask(llm)).text == "?olleH"


async def test_a_call_is_fragmented_and_adds_up() -> None:
    async with LLMFake(Reply(None, (CLOCK, READ))) as llm:
        seen = await ask(llm)

    assert seen.finish == "tool_calls"
    assert [call["index"] for call in seen.calls] == [0] * 4 + [1] * 4
    assert "".join(call["function"]["arguments"] for call in seen.calls[:4]) == '{"timezone":"Europe/Rome"}'
    assert seen.calls[0]["id"] != seen.calls[4]["id"]
    assert set(seen.calls[1]) == {"index", "function"}


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (
            CallStyle(fragments=0),
            [{"index": 0, "name": "clock", "id": True, "arguments": '{"timezone":"Europe/Rome"}'}],
        ),
        (
            CallStyle(fragments=1, index=False),
            [{"name": "clock", "id": True, "arguments": ""}, {"arguments": "*"}],
        ),
        (CallStyle(fragments=1, empty_name=True), [{}, {"name": "", "arguments": "*"}]),
        (CallStyle(fragments=1, repeat_head=True), [{}, {"name": "clock", "id": True, "arguments": "*"}]),
        (CallStyle(as_object=True), [{"arguments": {"timezone": "Europe/Rome"}}]),
    ],
)
async def test_calls_are_spelled_as_told(style: CallStyle, expected: list[dict[str, Any]]) -> None:
    async with LLMFake(Reply(None, (CLOCK,), calls_as=style)) as llm:
        seen = await ask(llm)

    got = [
        {k: v for k, v in call.items() if k == "index"} | {"id": "id" in call} | call["function"]
        for call in seen.calls
    ]
    assert len(got) == len(expected)
    for part, wanted in zip(got, expected, strict=True):
        for key, value in wanted.items():
            assert part[key] == ('{"timezone":"Europe/Rome"}' if value == "*" else value)
        assert ("index" in part) == style.index


async def test_calls_by_turns_and_with_one_id() -> None:
    style = CallStyle(fragments=2, interleaved=True, same_id=True)
    async with LLMFake(Reply(None, (CLOCK, READ), calls_as=style)) as llm:
        seen = await ask(llm)

    assert [call["index"] for call in seen.calls] == [0, 1] * 3
    assert seen.calls[0]["id"] == seen.calls[1]["id"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "reasoning_details"])
async def test_reasoning_has_its_own_field(field: Any) -> None:
    async with LLMFake(Reply("Yes.", reasoning="Let me see.", reasoning_as=field)) as llm:
        seen = await ask(llm)

    parts = [delta[field] for delta in seen.deltas if field in delta]
    text = "".join(part[0].get("text", "") if isinstance(part, list) else part for part in parts)
    assert (text, seen.text) == ("Let me see.", "Yes.")


async def test_inline_reasoning_splits_its_tags() -> None:
    async with LLMFake(Reply.thinking("Hm.", "Yes.")) as llm:
        seen = await ask(llm)

    assert seen.text == "<think>Hm.</think>Yes."
    assert not any("<think>" in (delta.get("content") or "") for delta in seen.deltas)


@pytest.mark.parametrize(
    "framing",
    [
        Framing(newline="\r\n"),
        Framing(space=False),
        Framing(cut=1),
        Framing(cut=7, newline="\r\n", space=False),
        Framing(lines=True),
        Framing(gzip=True),
        Framing(gzip=True, cut=3),
    ],
)
async def test_framing_changes_the_bytes_and_not_the_answer(framing: Framing) -> None:
    text = 'Größe zählt: 🦊, said "she",'
    async with LLMFake(Reply(text), Reply(text, framing=framing)) as llm:
        plain, framed = await ask(llm), await ask(llm)

    assert framed.text == plain.text == text
    assert framed.done
    if not framing.cut and not framing.gzip:
        assert framed.body != plain.body


async def test_characters_are_split_between_reads() -> None:
    pieces: list[bytes] = []
    async with (
        LLMFake(Reply("🦊", framing=Framing(cut=1))) as llm,
        httpx.AsyncClient() as client,
        client.stream("POST", f"{llm.base_url}/chat/completions", json=STREAM) as answer,
    ):
        pieces.extend([piece async for piece in answer.aiter_raw()])

    assert any(piece.endswith(b"\xf0") for piece in pieces)
    assert "🦊".encode() in b"".join(pieces)


async def test_a_broken_line_stands_among_good_ones() -> None:
    async with LLMFake(Reply("Hello, you!", framing=Framing(malformed_at=2))) as llm:
        seen = await ask(llm)

    assert (seen.text, seen.unreadable, seen.done) == ("Hello, you!", 1, True)


async def test_comments_come_first_and_are_marked() -> None:
    pace = Pace(heartbeats=3, every=0.001)
    async with LLMFake(Reply("Hi", pace=pace), Reply("Hi", pace=pace)) as llm:
        stream, plain = await ask(llm), await ask(llm, QUESTION)

    assert (stream.comments, stream.text) == (3, "Hi")
    assert stream.body.startswith(b": OPENROUTER PROCESSING\n\n")
    assert plain.body.startswith(b"\n\n\n{")


async def test_json_can_answer_a_stream_and_the_other_way_round() -> None:
    async with LLMFake(
        Reply("Hi", framing=Framing(answer="json")), Reply("Hi", framing=Framing(answer="sse"))
    ) as llm:
        assert (await ask(llm, STREAM)).json["choices"][0]["message"]["content"] == "Hi"
        assert (await ask(llm, QUESTION)).text == "Hi"


async def test_the_answer_is_held_until_it_is_released() -> None:
    pace = Pace(hold="gate", hold_at=2)
    async with (
        LLMFake(Reply("Hello, you!", pace=pace)) as llm,
        httpx.AsyncClient() as client,
        client.stream("POST", f"{llm.base_url}/chat/completions", json=STREAM) as answer,
    ):
        lines = answer.aiter_lines()
        shown = [line for line in [await anext(lines) for _ in range(6)] if line]
        assert len(shown) == 3
        held = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0.03)
        assert not held.done()

        llm.release("gate")
        assert '"content":" yo"' in await held


async def test_delays_are_kept() -> None:
    loop = asyncio.get_running_loop()
    async with LLMFake(Reply("abcd", pace=Pace(wait=0.02, delay=0.01))) as llm:
        began = loop.time()
        await ask(llm)

    assert loop.time() - began >= 0.06


@pytest.mark.parametrize(
    ("fault", "failure", "status", "text"),
    [
        (Fault("close"), "RemoteProtocolError", 0, ""),
        (Fault("reset"), "ReadError", 0, ""),
        (Fault("hang"), "ReadTimeout", 0, ""),
        (Fault("hang", 0), "ReadTimeout", 200, ""),
        (Fault("close", 2), "RemoteProtocolError", 200, "Hello,"),
        (Fault("reset", 2), "ReadError", 200, "Hello,"),
        (Fault("hang", 2), "ReadTimeout", 200, "Hello,"),
        (Fault("end", 2), "", 200, "Hello,"),
        (Fault("end", 99), "", 200, "Hello, you!"),
    ],
)
async def test_an_answer_breaks_off_where_told(fault: Fault, failure: str, status: int, text: str) -> None:
    async with LLMFake(Reply("Hello, you!", fault=fault)) as llm:
        seen = await ask(llm, timeout=0.1 if fault.kind == "hang" else 5.0)

    assert (seen.failure, seen.status, seen.text) == (failure, status, text)
    assert (seen.finish, seen.done) == (None, False)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [("close", "RemoteProtocolError"), ("reset", "ReadError"), ("end", ""), ("hang", "ReadTimeout")],
)
async def test_a_plain_answer_breaks_off_too(kind: Any, failure: str) -> None:
    async with LLMFake(Reply("Hello, you!", fault=Fault(kind, 1))) as llm:
        seen = await ask(llm, QUESTION, timeout=0.1 if kind == "hang" else 5.0)

    assert (seen.status, seen.failure) == (200, failure)
    with pytest.raises(json.JSONDecodeError):
        assert seen.json


async def test_an_error_event_ends_the_stream() -> None:
    error = {"error": {"code": 502, "message": "died"}}
    async with LLMFake(Reply("Hello, you!", fault=Fault("error", 2, error, event="error"))) as llm:
        seen = await ask(llm)

    assert (seen.text, seen.errors, seen.done, seen.failure) == ("Hello,", [error["error"]], False, "")
    assert b"event: error\ndata: " in seen.body


async def test_any_status_body_and_header_can_be_sent() -> None:
    refusal = Reply.error(429, {"error": "slow down"}, retry_after="7")
    packed = Reply(raw=Raw(520, "<h1>oops</h1>", "text/html"), framing=Framing(gzip=True))
    async with LLMFake(refusal, packed, Reply("Hi", headers={"x-ratelimit-remaining-requests": "3"})) as llm:
        first, second, third = [await ask(llm) for _ in range(3)]

    assert (first.status, first.json, first.headers["retry-after"]) == (429, {"error": "slow down"}, "7")
    assert (second.status, second.body) == (520, b"<h1>oops</h1>")
    assert second.headers["content-encoding"] == "gzip"
    assert (third.text, third.headers["x-ratelimit-remaining-requests"]) == ("Hi", "3")


async def test_a_connection_is_kept_or_closed_after_the_answer() -> None:
    async with LLMFake(Reply("a"), Reply("b", close_after=True), Reply("c")) as llm:
        async with httpx.AsyncClient(base_url=llm.base_url) as client:
            for _ in range(3):
                answer = await client.post("chat/completions", json=STREAM)
                assert "connection" not in answer.headers
                await llm.until(lambda: llm.requests[-1].outcome == "done")
                await asyncio.sleep(0.01)  # the client notices a closed connection before it takes it

        assert [each.connection for each in llm.requests] == [1, 1, 2]


async def test_the_log_knows_body_headers_time_and_end() -> None:
    async with LLMFake() as llm:
        await ask(llm, headers={"Authorization": "Bearer abc"})

        recorded = llm.requests[0]
        assert recorded.body == STREAM
        assert recorded.headers["authorization"] == "Bearer abc"
        assert (recorded.number, recorded.path, recorded.outcome) == (1, "/v1/chat/completions", "done")
        assert recorded.at > 1_700_000_000


async def test_a_client_that_leaves_is_noticed() -> None:
    async with LLMFake(Reply.broken("hang", 2, "Hello, you!")) as llm:
        await ask(llm, timeout=0.05)
        await llm.until(lambda: llm.requests[0].outcome == "left", timeout=1)

        assert llm.open_connections == 0


async def test_the_most_at_once_are_counted() -> None:
    async with LLMFake() as llm:
        llm.default = Reply("x", pace=Pace(hold="all"))
        tasks = [asyncio.create_task(ask(llm)) for _ in range(5)]
        await llm.until(lambda: llm.concurrent == 5)
        llm.release("all")
        await asyncio.gather(*tasks)
        await ask(llm)

        assert (llm.max_concurrent, llm.concurrent, llm.received) == (5, 0, 6)


async def test_it_goes_down_and_comes_back_at_the_same_port() -> None:
    async with LLMFake(Reply.broken("hang", 0)) as llm:
        hanging = asyncio.create_task(ask(llm))
        await llm.until(lambda: len(llm.requests) == 1)
        await llm.down()
        assert (await hanging).failure == "ReadError"
        assert (await ask(llm)).failure == "ConnectError"
        await llm.up()

        assert (await ask(llm)).text == "You said: Hello?"


async def test_a_faulty_http_request_is_refused() -> None:
    async with LLMFake() as llm:
        reader, writer = await asyncio.open_connection("127.0.0.1", llm.port)
        writer.write(b"POST /v1/chat/completions\r\n\r\n")

        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_requests_in_one_packet_are_answered_in_order() -> None:
    async with LLMFake(Reply("one"), Reply("two")) as llm:
        body = json.dumps(QUESTION).encode()
        request = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n" % len(body)
        reader, writer = await asyncio.open_connection("127.0.0.1", llm.port)
        writer.write(request + b"\r\n" + body + request + b"Connection: close\r\n\r\n" + body)
        got = await reader.read()
        writer.close()

    assert got.index(b"one") < got.index(b"two")
