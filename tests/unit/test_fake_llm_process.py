"""The fake LLM as a process of its own, steered over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fakes.llm import Fault, Pace, Reply, ToolCall
from tests.fakes.llm.control import LLMControl
from tests.fakes.llm.process import llm_process
from tests.unit.llm_reader import STREAM


@pytest.fixture
async def llm() -> AsyncIterator[LLMControl]:
    async with llm_process() as control:
        yield control


async def post(llm: LLMControl, body: dict[str, Any] = STREAM) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"{llm.base_url}/chat/completions", json=body)


async def test_a_script_goes_over_the_wire_and_the_log_comes_back(llm: LLMControl) -> None:
    await llm.push(Reply(("one", " two"), pace=Pace(delay=0.001)), Reply.tool("clock", {"timezone": "UTC"}))
    await llm.push(Reply.error(429, [{"error": {"code": 429}}], retry_after="2"), contains="Hello")
    first, second, third, fourth = [await post(llm) for _ in range(4)]
    seen = await llm.seen(since=1)

    assert '"content":" two"' in first.text
    assert '"name":"clock"' in second.text
    assert (third.status_code, third.json(), third.headers["retry-after"]) == (
        429,
        [{"error": {"code": 429}}],
        "2",
    )
    assert "You " in fourth.text
    assert (seen["received"], seen["max_concurrent"], len(seen["requests"])) == (4, 1, 3)
    assert seen["requests"][0]["body"] == STREAM


async def test_the_default_is_set_and_cleared(llm: LLMControl) -> None:
    await llm.set_default(Reply("", calls=(ToolCall("x", "{}"),), fault=Fault("end", 1)))
    cut = [(await post(llm)).text for _ in range(2)]
    assert all('"name":"x"' in text and "[DONE]" not in text for text in cut)
    await llm.set_default(None)
    assert "You " in (await post(llm)).text
    await llm.push(Reply("left over"))
    await llm.clear()

    assert "You " in (await post(llm)).text
    assert (await llm.seen())["received"] == 1


async def test_replies_hold_and_servers_load_on_command(llm: LLMControl) -> None:
    await llm.push(Reply("through", pace=Pace(hold="gate", chunks=1)))
    held = asyncio.create_task(post(llm))
    await llm.until(lambda seen: seen["concurrent"] == 1)
    await llm.release("gate")
    assert "through" in (await held).text

    await llm.load_for(60)
    assert (await post(llm)).status_code == 503
    await llm.load_for(0)
    assert (await post(llm)).status_code == 200


async def victim() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)


async def is_killed(process: asyncio.subprocess.Process, within: float = 5.0) -> bool:
    try:
        return await asyncio.wait_for(asyncio.shield(process.wait()), within) == -9
    except TimeoutError:
        return False


async def test_it_kills_a_process_before_the_reply(llm: LLMControl) -> None:
    await llm.push(Reply("late", pace=Pace(hold="start")))
    process = await victim()
    await llm.kill(process.pid)
    assert not await is_killed(process, within=0.03)

    task = asyncio.create_task(post(llm))
    assert await is_killed(process)
    assert not task.done()
    await llm.release("start")
    assert (await task).status_code == 200


async def test_it_kills_a_process_in_the_middle_of_a_stream(llm: LLMControl) -> None:
    await llm.push(Reply(("a", "b", "c", "d"), pace=Pace(hold="middle", hold_at=1)))
    process = await victim()
    await llm.kill(process.pid, "mid_stream")
    task = asyncio.create_task(post(llm))
    await llm.until(lambda seen: seen["concurrent"] == 1)
    assert not await is_killed(process, within=0.03)

    await llm.release("middle")
    assert await is_killed(process)
    assert '"content":"d"' in (await task).text


async def test_a_kill_waits_for_its_request(llm: LLMControl) -> None:
    process = await victim()
    await llm.kill(process.pid, request=2)
    await post(llm)
    assert not await is_killed(process, within=0.03)
    await post(llm)

    assert await is_killed(process)


async def test_a_misspelt_script_is_refused_with_the_reason(llm: LLMControl) -> None:
    async with httpx.AsyncClient(base_url=llm.url, trust_env=False) as client:
        misspelt = await client.post("/control/push", json={"replies": [{"txet": "x"}]})
        unknown = await client.post("/control/puhs", json={})

    assert (misspelt.status_code, "txet" in misspelt.text) == (422, True)
    assert (unknown.status_code, "push" in unknown.text) == (404, True)


async def test_it_takes_options_and_ends_with_its_starter() -> None:
    async with (
        llm_process("--kind", "ollama", "--model", "a", "--model", "b", "--key", "k") as llm,
        httpx.AsyncClient(base_url=llm.url, trust_env=False) as client,
    ):
        tags = await client.get("/api/tags", headers={"Authorization": "Bearer k"})
        assert [row["name"] for row in tags.json()["models"]] == ["a", "b"]
        assert (await client.get("/api/tags")).status_code == 401

    with pytest.raises(httpx.ConnectError):
        await post(llm)
