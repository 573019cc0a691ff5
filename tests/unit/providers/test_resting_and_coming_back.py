"""Breakers, rests and their store as the client uses them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from providers import errors
from providers.client import ModelClient
from providers.errors import NoModel
from providers.testing import Answer, Clock, ScriptedProvider, scripted_catalog, scripted_client
from providers.types import ChatRequest, Message

ASK = ChatRequest((Message("user", "hello"),))


class Store:
    """A state store in memory, through JSON as a database would keep it."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.saves = 0

    async def load(self) -> Mapping[str, Mapping[str, Any]]:
        return {scope: json.loads(text) for scope, text in self.rows.items()}

    async def save(self, scope: str, state: Mapping[str, Any]) -> None:
        self.saves += 1
        self.rows[scope] = json.dumps(state)


async def failing_turns(client: ModelClient, count: int) -> None:
    for _ in range(count):
        await client.chat("reasoning", ASK)


async def test_after_three_failures_it_is_left_alone_and_probed_later() -> None:
    clock = Clock()
    first = ScriptedProvider(*[errors.ServerError()] * 3, after="back")
    client = scripted_client({"first": first, "second": ScriptedProvider(after="second")}, clock=clock)

    await failing_turns(client, 4)
    assert len(first.asked) == 3

    clock.now += 31
    reply = await client.chat("reasoning", ASK)
    assert reply.route.provider == "first"
    assert client.resting("reasoning") == ()


async def test_a_failed_probe_makes_the_rest_longer() -> None:
    clock = Clock()
    first = ScriptedProvider(after=errors.ServerError())
    client = scripted_client({"first": first, "second": ScriptedProvider(after="second")}, clock=clock)
    await failing_turns(client, 2)
    rests = []
    for _ in range(5):
        [(_, rest)] = client.resting("reasoning")
        rests.append(round(rest.until - clock.now))
        clock.now = rest.until + 1
        await client.chat("reasoning", ASK)

    assert rests == [30, 60, 120, 300, 300]


async def test_one_of_many_concurrent_turns_probes() -> None:
    clock, go = Clock(), asyncio.Event()

    async def slowly(_: ChatRequest) -> Answer:
        await go.wait()
        return "back"

    first = ScriptedProvider(*[errors.ServerError()] * 3, slowly)
    second = ScriptedProvider(after="second")
    client = scripted_client({"first": first, "second": second}, clock=clock)
    await failing_turns(client, 2)
    clock.now += 31

    turns = [asyncio.create_task(client.chat("reasoning", ASK)) for _ in range(10)]
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(second.asked) == 2 + 9
    go.set()
    replies = await asyncio.gather(*turns)

    assert sorted(reply.route.provider for reply in replies) == ["first"] + ["second"] * 9
    assert len(first.asked) == 4


async def test_twenty_concurrent_turns_waste_no_more_calls_than_it_takes_to_open() -> None:
    first = ScriptedProvider(after=errors.ServerError())
    client = scripted_client({"first": first, "second": ScriptedProvider(after="second")})

    await failing_turns(client, 20)

    assert len(first.asked) == 3


async def test_the_only_candidate_is_tried_although_its_breaker_is_open() -> None:
    first = ScriptedProvider(*[errors.ServerError()] * 3, "Hello")
    client = scripted_client({"first": first})
    for _ in range(2):
        with pytest.raises(NoModel):
            await client.chat("reasoning", ASK)

    reply = await client.chat("reasoning", ASK)

    assert [(a.error, a.called) for a in reply.path] == [("ServerError", False), ("", True)]


async def test_the_only_candidate_is_not_tried_where_the_server_named_a_time() -> None:
    first = ScriptedProvider(errors.ServerError(retry_after=600))
    client = scripted_client({"first": first})
    for _ in range(3):
        with pytest.raises(NoModel):
            await client.chat("reasoning", ASK)

    assert len(first.asked) == 1


async def test_concurrent_turns_with_one_candidate_wait_for_the_one_that_tries() -> None:
    go = asyncio.Event()

    async def slowly(_: ChatRequest) -> Answer:
        await go.wait()
        return "back"

    first = ScriptedProvider(*[errors.ServerError()] * 3, slowly, after="fine")
    client = scripted_client({"first": first})
    for _ in range(2):
        with pytest.raises(NoModel):
            await client.chat("reasoning", ASK)

    turns = [asyncio.create_task(client.chat("reasoning", ASK)) for _ in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(first.asked) == 4
    go.set()

    assert sorted(r.message.content for r in await asyncio.gather(*turns)) == ["back"] + ["fine"] * 4


@pytest.mark.parametrize(
    ("error", "sibling_rests"),
    [
        (errors.Overloaded(retry_after=90), False),
        (errors.Denied(), True),
        (errors.ServerError(retry_after=90), True),
    ],
)
async def test_only_the_scope_of_the_failure_rests(error: errors.ProviderError, sibling_rests: bool) -> None:
    client = scripted_client({"p": ScriptedProvider(error, after="Hello")})
    with pytest.raises(NoModel):
        await client.chat("p/model", ASK)

    assert bool(client.resting("p/sibling")) is sibling_rests
    assert client.resting("p/model") != ()


async def test_the_allowance_of_all_free_models_rests_as_one() -> None:
    client = scripted_client({"p": ScriptedProvider(errors.RateLimited(retry_after=90, scope="account"))})
    with pytest.raises(NoModel):
        await client.chat("p/a:free", ASK)

    assert client.resting("p/b:free") != ()
    assert client.resting("p/paid") == ()


async def test_a_long_rest_survives_a_restart_and_a_short_one_does_not() -> None:
    clock, store = Clock(), Store()
    failing: dict[str, Any] = {
        "long": ScriptedProvider(errors.RateLimited("enough", retry_after=3600)),
        "short": ScriptedProvider(errors.RateLimited(retry_after=20)),
        "last": ScriptedProvider(after="Hello"),
    }
    await scripted_client(failing, clock=clock, store=store).chat("reasoning", ASK)

    restarted = scripted_client(failing, clock=clock, store=store)
    await restarted.restore()

    assert [(c.route.provider, r.detail) for c, r in restarted.resting("reasoning")] == [("long", "enough")]


async def test_an_open_breaker_survives_a_restart() -> None:
    clock, store = Clock(), Store()
    providers = {
        "first": ScriptedProvider(after=errors.ServerError()),
        "last": ScriptedProvider(after="Hello"),
    }
    await failing_turns(scripted_client(providers, clock=clock, store=store), 2)

    restarted = scripted_client(providers, clock=clock, store=store)
    await restarted.restore()
    await restarted.chat("reasoning", ASK)

    assert len(providers["first"].asked) == 3


async def test_another_key_ends_the_rest_at_once_and_over_a_restart() -> None:
    clock, store = Clock(), Store()
    provider = ScriptedProvider(errors.Denied(), after="Hello")
    client = scripted_client({"p": provider}, clock=clock, store=store)
    with pytest.raises(NoModel):
        await client.chat("reasoning", ASK)
    catalog = scripted_catalog(["p"])
    changed = replace(
        catalog,
        providers={"p": catalog.providers["p"].model_copy(update={"api_base": "https://other.invalid"})},
    )

    restarted = scripted_client({"p": provider}, clock=clock, store=store)
    await restarted.adopt(changed)
    await restarted.restore()
    assert restarted.resting("reasoning") == ()

    assert client.resting("reasoning") != ()
    await client.adopt(changed)
    assert client.resting("reasoning") == ()


async def test_a_call_that_was_left_before_its_end_is_stored_at_the_latest_on_closing() -> None:
    clock, store = Clock(), Store()
    providers = {"p": ScriptedProvider(errors.Denied()), "q": ScriptedProvider("Hello")}
    client = scripted_client(providers, clock=clock, store=store)
    async with aclosing(client.stream("reasoning", ASK)) as events:
        await anext(events)
    assert store.rows == {}

    await client.aclose()

    assert set(store.rows) == {"credential:p"}


async def test_nothing_is_stored_for_ordinary_answers() -> None:
    store = Store()
    client = scripted_client({"p": ScriptedProvider(after="Hello")}, store=store)

    for _ in range(10):
        await client.chat("reasoning", ASK)

    assert store.saves == 0


async def test_recovery_is_stored_so_that_a_restart_does_not_bring_the_rest_back() -> None:
    clock, store = Clock(), Store()
    provider = ScriptedProvider(errors.OutOfMoney(), after="Hello")
    client = scripted_client({"p": provider}, clock=clock, store=store)
    with pytest.raises(NoModel):
        await client.chat("reasoning", ASK)
    clock.now += 601
    await client.chat("reasoning", ASK)

    restarted = scripted_client({"p": provider}, clock=clock, store=store)
    await restarted.restore()
    assert restarted.resting("reasoning") == ()
    assert set(store.rows.values()) == {"{}"}


async def test_what_needs_the_owner_is_marked_on_the_path_also_while_it_rests() -> None:
    client = scripted_client(
        {"p": ScriptedProvider(errors.Denied("bad key")), "q": ScriptedProvider(after="Hello")}
    )
    await client.chat("reasoning", ASK)

    reply = await client.chat("reasoning", ASK)

    assert (reply.path[0].called, reply.path[0].needs_owner, reply.path[0].detail) == (False, True, "bad key")


async def test_the_status_names_what_rests() -> None:
    client = scripted_client({"p": ScriptedProvider(errors.Denied()), "q": ScriptedProvider("Hello")})
    await client.chat("reasoning", ASK)

    by_name = {status.name: [rest.scope for rest in status.rests] for status in client.status()}

    assert by_name == {"p": ["credential:p"], "q": []}


async def test_a_replaced_provider_is_closed_once_its_call_has_ended() -> None:
    go = asyncio.Event()

    async def slowly(_: ChatRequest) -> Answer:
        await go.wait()
        return "done"

    provider = ScriptedProvider(slowly)
    client = scripted_client({"p": provider})
    turn = asyncio.create_task(client.chat("reasoning", ASK))
    await asyncio.sleep(0)

    await client.adopt(scripted_catalog([]))
    assert not provider.closed
    go.set()
    assert (await turn).message.content == "done"
    assert provider.closed


async def test_closing_closes_every_provider_and_may_be_repeated() -> None:
    provider = ScriptedProvider("Hello")
    client = scripted_client({"p": provider})
    await client.chat("reasoning", ASK)

    await client.aclose()
    await client.aclose()

    assert provider.closed
