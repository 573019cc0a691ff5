"""The client's walk: who is asked, who is passed over, and what the path says of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from providers import errors
from providers.client import ModelClient
from providers.errors import NoModel, ProviderError, UnknownName
from providers.testing import Answer, Clock, ScriptedProvider, scripted_catalog, scripted_client
from providers.types import (
    ChatReply,
    ChatRequest,
    ClientEvent,
    Message,
    ModelInfo,
    ProviderEvent,
    ReasoningDelta,
    Restart,
    Route,
    TextDelta,
    ToolCall,
    ToolDef,
)

ASK = ChatRequest((Message("user", "hello"),))
TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {}})
WITH_TOOLS = replace(ASK, tools=(TOOL,))


async def events_of(
    client: ModelClient, request: ChatRequest = ASK, name: str = "reasoning"
) -> list[ClientEvent]:
    async with aclosing(client.stream(name, request)) as events:
        return [event async for event in events]


def outcome(reply: ChatReply | NoModel) -> list[tuple[str, str, bool]]:
    return [(attempt.route.provider, attempt.error, attempt.called) for attempt in reply.path]


async def test_the_first_candidate_answers() -> None:
    first, second = ScriptedProvider(["Hel", "lo"]), ScriptedProvider()
    client = scripted_client({"first": first, "second": second})

    events = await events_of(client)

    assert events[:2] == [TextDelta("Hel"), TextDelta("lo")]
    reply = events[-1]
    assert isinstance(reply, ChatReply)
    assert reply.message == Message("assistant", "Hello")
    assert reply.route == Route("first", "model")
    assert outcome(reply) == [("first", "", True)]
    assert [asked.model for asked in first.asked] == ["model"]


async def test_thoughts_and_tool_calls_come_through() -> None:
    call = ToolCall("c1", "look", {"a": 1})
    client = scripted_client({"only": ScriptedProvider([ReasoningDelta("hm"), "Looking.", call])})

    events = await events_of(client, WITH_TOOLS)

    reply = events[-1]
    assert isinstance(reply, ChatReply)
    assert ReasoningDelta("hm") in events
    assert reply.message.tool_calls == (call,)
    assert reply.finish == "tool_calls"


MOVES_ON = [
    (errors.Unreachable(), 2),
    (errors.ServerError(), 2),
    (errors.Overloaded(), 2),
    (errors.Empty(), 2),
    (errors.Malformed(), 2),
    (errors.CutStream(), 2),
    (errors.Stalled(), 1),
    (errors.Misconfigured(), 1),
    (errors.Denied(), 1),
    (errors.OutOfMoney(), 1),
    (errors.RateLimited(), 1),
    (errors.UnknownModel(), 1),
    (errors.TooLong(), 1),
    (errors.Loading(), 1),
    (errors.UnknownParameter(), 1),
]


@pytest.mark.parametrize(("error", "calls"), MOVES_ON, ids=[type(e).__name__ for e, _ in MOVES_ON])
async def test_a_failure_moves_on_after_as_many_tries_as_its_class_allows(
    error: ProviderError, calls: int
) -> None:
    first, second = ScriptedProvider(after=error), ScriptedProvider("Hello")
    client = scripted_client({"first": first, "second": second})

    reply = await client.chat("reasoning", ASK)

    assert reply.route.provider == "second"
    assert outcome(reply) == [("first", type(error).__name__, True)] * calls + [("second", "", True)]
    assert reply.path[0].needs_owner == error.needs_owner
    assert len(first.asked) == calls


@pytest.mark.parametrize("error", [errors.BadRequest("no"), errors.Refused("no")])
async def test_a_fault_of_the_request_stops_the_walk(error: ProviderError) -> None:
    second = ScriptedProvider("Hello")
    client = scripted_client({"first": ScriptedProvider(error), "second": second})

    with pytest.raises(NoModel) as stopped:
        await client.chat("reasoning", ASK)

    assert outcome(stopped.value) == [("first", type(error).__name__, True)]
    assert second.asked == []


async def test_one_more_try_is_enough_for_a_hiccup() -> None:
    client = scripted_client({"first": ScriptedProvider(errors.ServerError("hm"), "Hello")})

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [("first", "ServerError", True), ("first", "", True)]
    assert client.resting("reasoning") == ()


async def test_the_text_of_a_stream_that_died_is_taken_back_before_the_next_one_answers() -> None:
    died: Answer = ["Once upon", errors.CutStream("gone")]
    client = scripted_client(
        {"first": ScriptedProvider(died, died), "second": ScriptedProvider(["All of it."])}
    )

    events = await events_of(client)

    kinds = [type(event) for event in events]
    assert kinds == [TextDelta, Restart, TextDelta, Restart, TextDelta, ChatReply]
    restart, reply = events[1], events[-1]
    assert isinstance(restart, Restart)
    assert isinstance(reply, ChatReply)
    assert (restart.attempt.error, restart.attempt.detail) == ("CutStream", "gone")
    assert reply.message.content == "All of it."


async def test_nothing_is_taken_back_where_nothing_was_shown() -> None:
    died: Answer = [ReasoningDelta("hm"), errors.Denied()]
    client = scripted_client({"first": ScriptedProvider(died), "second": ScriptedProvider("Hello")})

    assert Restart not in [type(event) for event in await events_of(client)]


async def test_a_resting_candidate_is_passed_over_without_a_call() -> None:
    clock = Clock()
    first = ScriptedProvider(errors.RateLimited("slow down", retry_after=120), "back")
    client = scripted_client({"first": first, "second": ScriptedProvider(after="Hello")}, clock=clock)
    await client.chat("reasoning", ASK)

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [("first", "RateLimited", False), ("second", "", True)]
    assert reply.path[0].until == clock.now + 120
    assert reply.path[0].detail == "slow down"
    clock.now += 121
    assert (await client.chat("reasoning", ASK)).message.content == "back"


async def test_a_short_limit_is_waited_for_where_nobody_else_can_answer() -> None:
    clock = Clock()
    client = scripted_client(
        {"only": ScriptedProvider(errors.RateLimited(retry_after=3), "Hello")}, clock=clock
    )

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [("only", "RateLimited", True), ("only", "", True)]
    assert clock.slept == [3]


async def test_a_short_limit_is_not_waited_for_where_somebody_else_can_answer() -> None:
    clock = Clock()
    first = ScriptedProvider(errors.Overloaded(retry_after=3))
    client = scripted_client({"first": first, "second": ScriptedProvider("Hello")}, clock=clock)

    reply = await client.chat("reasoning", ASK)

    assert reply.route.provider == "second"
    assert clock.slept == []


async def test_a_long_limit_is_reported_with_its_end() -> None:
    clock = Clock()
    client = scripted_client({"only": ScriptedProvider(errors.RateLimited(retry_after=900))}, clock=clock)

    with pytest.raises(NoModel) as nobody:
        await client.chat("reasoning", ASK)

    assert nobody.value.retry_at == clock.now + 900
    assert clock.slept == []


async def test_a_loading_server_is_waited_for_as_one_attempt() -> None:
    clock = Clock()
    loading = errors.Loading("loading")
    client = scripted_client({"only": ScriptedProvider(*[loading] * 8, "Hello")}, clock=clock)

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [("only", "Loading", True), ("only", "", True)]
    assert len(clock.slept) == 8


async def test_a_server_that_loads_for_ever_costs_the_deadline_and_no_more() -> None:
    clock = Clock()
    client = scripted_client({"only": ScriptedProvider(after=errors.Loading("loading"))}, clock=clock)

    with pytest.raises(NoModel) as nobody:
        await client.chat("reasoning", replace(ASK, timeout=30))

    assert outcome(nobody.value) == [("only", "Loading", True)]
    assert sum(clock.slept) <= 30


async def test_a_loading_server_leaves_the_answer_to_another() -> None:
    clock = Clock()
    client = scripted_client(
        {"first": ScriptedProvider(errors.Loading()), "second": ScriptedProvider("Hello")}, clock=clock
    )

    assert (await client.chat("reasoning", ASK)).route.provider == "second"
    assert clock.slept == []


async def test_tools_are_offered_to_one_that_can_use_them_first() -> None:
    providers = {"plain": ScriptedProvider(after="plain"), "able": ScriptedProvider(after="able")}
    client = scripted_client(providers)
    catalog = scripted_catalog(providers).learning(Route("plain", "model"), tools=False)
    await client.adopt(catalog)

    assert (await client.chat("reasoning", WITH_TOOLS)).message.content == "able"
    assert (await client.chat("reasoning", ASK)).message.content == "plain"


async def test_a_model_that_turns_out_to_lack_tools_is_asked_without_them_at_last() -> None:
    first = ScriptedProvider(errors.NoToolSupport(), after="without")
    client = scripted_client({"first": first, "second": ScriptedProvider(after=errors.Denied())})

    reply = await client.chat("reasoning", WITH_TOOLS)

    assert outcome(reply) == [
        ("first", "NoToolSupport", True),
        ("second", "Denied", True),
        ("first", "", True),
    ]
    assert [asked.request.tools for asked in first.asked] == [(TOOL,), ()]
    # It is remembered, so that the next call does not ask again.
    reply = await client.chat("reasoning", WITH_TOOLS)
    assert first.asked[-1].request.tools == ()
    assert len(first.asked) == 3


async def test_without_tools_earlier_calls_become_plain_text() -> None:
    first = ScriptedProvider("Hello")
    client = scripted_client({"first": first})
    await client.adopt(scripted_catalog(["first"]).learning(Route("first", "model"), tools=False))
    history = (
        Message("user", "Look."),
        Message("assistant", "Yes.", (ToolCall("c1", "look", {"at": "x"}),)),
        Message("tool", "a cat", tool_call_id="c1"),
    )

    await client.chat("reasoning", replace(WITH_TOOLS, messages=history))

    sent = first.asked[0].request.messages
    assert [message.role for message in sent] == ["user", "assistant", "user"]
    assert not any(message.tool_calls or message.tool_call_id for message in sent)
    assert '"at": "x"' in sent[1].content
    assert "a cat" in sent[2].content


async def test_a_tiny_model_gets_the_brief_and_no_tools() -> None:
    tiny = ScriptedProvider("Hello")
    catalog = scripted_catalog(["tiny"]).listing("tiny", [ModelInfo("model", 8192, tools=True, tiny=True)])
    client = scripted_client({"tiny": tiny})
    await client.adopt(catalog)
    brief = (Message("user", "short"),)

    reply = await client.chat("reasoning", replace(WITH_TOOLS, brief=brief))

    assert reply.tiny
    assert tiny.asked[0].request.messages == brief
    assert tiny.asked[0].request.tools == ()


async def test_a_window_that_is_surely_too_small_is_not_tried() -> None:
    providers = {"small": ScriptedProvider(after="small"), "large": ScriptedProvider(after="large")}
    client = scripted_client(providers)
    await client.adopt(scripted_catalog(providers).learning(Route("small", "model"), context_window=1000))

    reply = await client.chat("reasoning", ChatRequest((Message("user", "word " * 2000),)))

    assert outcome(reply) == [("small", "TooLong", False), ("large", "", True)]
    assert (await client.chat("reasoning", ASK)).message.content == "small"


async def test_the_estimate_may_be_wrong_where_nobody_else_is_left() -> None:
    providers = {"small": ScriptedProvider(after="small"), "smaller": ScriptedProvider()}
    client = scripted_client(providers)
    catalog = scripted_catalog(providers).learning(Route("small", "model"), context_window=1000)
    await client.adopt(catalog.learning(Route("smaller", "model"), context_window=500))

    reply = await client.chat("reasoning", ChatRequest((Message("user", "word " * 2000),)))

    assert outcome(reply) == [("small", "TooLong", False), ("smaller", "TooLong", False), ("small", "", True)]


async def test_after_too_long_only_a_larger_window_is_tried_and_the_limit_is_learned() -> None:
    providers = {
        "first": ScriptedProvider(errors.TooLong(window=4096)),
        "same": ScriptedProvider(),
        "large": ScriptedProvider(after="large"),
    }
    client = scripted_client(providers)
    catalog = scripted_catalog(providers).learning(Route("same", "model"), context_window=4096)
    await client.adopt(catalog.learning(Route("large", "model"), context_window=8192))

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [("first", "TooLong", True), ("same", "TooLong", False), ("large", "", True)]
    assert client.candidates("reasoning")[0].info.context_window == 4096


async def test_a_model_chosen_by_its_full_name_is_the_only_candidate() -> None:
    first, second = ScriptedProvider(errors.Denied()), ScriptedProvider("Hello")
    client = scripted_client({"first": first, "second": second})

    with pytest.raises(NoModel):
        await client.chat("first/model", ASK)

    assert second.asked == []


async def test_an_unknown_name_is_said_before_anybody_is_asked() -> None:
    client = scripted_client({"first": ScriptedProvider()})

    with pytest.raises(UnknownName, match="did you mean 'first'"):
        await client.chat("frist", ASK)


async def test_with_no_provider_at_all_the_path_is_empty() -> None:
    with pytest.raises(NoModel) as nobody:
        await scripted_client({}).chat("reasoning", ASK)

    assert nobody.value.path == ()
    assert nobody.value.retry_at is None


@pytest.mark.looptime
async def test_a_hanging_candidate_leaves_half_of_the_time_to_the_next() -> None:
    async def hang(_: ChatRequest) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    first, second = ScriptedProvider(hang), ScriptedProvider("Hello")
    client = scripted_client({"first": first, "second": second})

    reply = await client.chat("reasoning", replace(ASK, timeout=0.1))

    assert outcome(reply) == [("first", "Stalled", True), ("second", "", True)]
    assert reply.path[0].seconds == pytest.approx(0.05)
    assert first.open_streams == 0


@pytest.mark.looptime
async def test_one_deadline_holds_for_all_candidates() -> None:
    async def hang(_: ChatRequest) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    providers = {name: ScriptedProvider(after=hang) for name in ("a", "b", "c")}
    started = asyncio.get_running_loop().time()

    with pytest.raises(NoModel) as nobody:
        await scripted_client(providers).chat("reasoning", replace(ASK, timeout=0.1))

    assert asyncio.get_running_loop().time() - started == pytest.approx(0.1)
    assert {error for _, error, _ in outcome(nobody.value)} == {"Stalled"}


@pytest.mark.looptime
@pytest.mark.parametrize(("seconds", "rests"), [(10, False), (200, True)])
async def test_being_cut_off_by_a_short_deadline_speaks_against_nobody(seconds: float, rests: bool) -> None:
    async def hang(_: ChatRequest) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    client = scripted_client({"only": ScriptedProvider(after=hang)})
    for _ in range(3):
        with pytest.raises(NoModel):
            await client.chat("reasoning", replace(ASK, timeout=seconds))

    assert bool(client.resting("reasoning")) is rests


class Endless(ScriptedProvider):
    """Begins to answer and never comes to an end."""

    async def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        yield TextDelta("Well")
        await asyncio.Event().wait()


@pytest.mark.looptime
async def test_who_was_not_reached_before_the_deadline_is_neither_asked_nor_blamed() -> None:
    second = ScriptedProvider()
    client = scripted_client({"first": Endless(), "second": second})

    with pytest.raises(NoModel) as nobody:
        await client.chat("reasoning", replace(ASK, timeout=20))

    assert outcome(nobody.value) == [("first", "Stalled", True)]
    assert second.asked == []


@pytest.mark.looptime
@pytest.mark.parametrize(("seconds", "alone", "calls"), [(4, False, 2), (6, False, 1), (6, True, 2)])
async def test_a_slow_failure_is_not_repeated_while_somebody_else_could_answer(
    seconds: float, alone: bool, calls: int
) -> None:
    async def fails(_: ChatRequest) -> Answer:
        await asyncio.sleep(seconds)
        return errors.ServerError()

    first = ScriptedProvider(fails, fails)
    client = scripted_client(
        {"first": first} if alone else {"first": first, "second": ScriptedProvider("Hello")}
    )
    with contextlib.suppress(NoModel):
        await client.chat("reasoning", ASK)

    assert len(first.asked) == calls


async def test_leaving_early_closes_the_stream_and_counts_as_nobodys_failure() -> None:
    first = ScriptedProvider(after=["one", "two"])
    client = scripted_client({"first": first})

    for _ in range(5):
        async with aclosing(client.stream("reasoning", ASK)) as events:
            assert await anext(events) == TextDelta("one")

    assert first.open_streams == 0
    assert client.resting("reasoning") == ()


async def test_being_cancelled_gives_back_the_place_of_a_probe() -> None:
    clock, entered = Clock(), asyncio.Event()

    async def hang(_: ChatRequest) -> Answer:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    first = ScriptedProvider(*[errors.Denied()], hang, "Hello")
    client = scripted_client({"first": first}, clock=clock)
    with pytest.raises(NoModel):
        await client.chat("reasoning", ASK)
    clock.now += 601
    probe = asyncio.create_task(client.chat("reasoning", ASK))
    await entered.wait()
    with pytest.raises(NoModel):  # the probe is on its way, nobody else goes
        await client.chat("reasoning", ASK)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe

    assert (await client.chat("reasoning", ASK)).message.content == "Hello"


async def test_the_owners_limit_on_requests_is_kept() -> None:
    clock = Clock()
    first, second = ScriptedProvider(after="first"), ScriptedProvider(after="second")
    client = scripted_client({"first": first, "second": second}, clock=clock)
    catalog = scripted_catalog(["first", "second"])
    limited = catalog.providers["first"].model_copy(update={"rate_limit_rpm": 2})
    await client.adopt(replace(catalog, providers={**catalog.providers, "first": limited}))

    answers = [(await client.chat("reasoning", ASK)).message.content for _ in range(3)]

    assert answers == ["first", "first", "second"]
    clock.now += 58
    assert (await client.chat("first/model", ASK)).message.content == "first"  # waits for the two seconds
    assert clock.slept == [2]
