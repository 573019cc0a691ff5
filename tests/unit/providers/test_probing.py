"""What failed is looked at without a call that costs money, at its time, and by one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from providers import errors
from providers.client import ModelClient
from providers.errors import NoModel, ProviderError
from providers.probe import SPACING
from providers.registry import Registry
from providers.settings import ProviderSettings
from providers.testing import Clock, ScriptedProvider, Turn, scripted_catalog
from providers.types import ChatRequest, Message, ModelInfo
from tests.unit.providers.test_resting_and_coming_back import Store

ASK = ChatRequest((Message("user", "hello"),))
HOME = "http://127.0.0.1:9/v1"


class Server(ScriptedProvider):
    """A scripted provider that is asked for its models: `lists` is what comes of it, in order, then `listing`."""

    def __init__(self, *turns: Turn, after: Turn | None = "back") -> None:
        super().__init__(*turns, after=after)
        self.lists: list[ProviderError] = []
        self.listing: ProviderError | None = None
        self.looked = 0
        self.gate: asyncio.Event | None = None

    async def models(self) -> Sequence[ModelInfo]:
        self.looked += 1
        if self.gate is not None:
            await self.gate.wait()
        error = self.lists.pop(0) if self.lists else self.listing
        if error is not None:
            raise error
        return (ModelInfo("model"),)


def client_of(
    servers: Mapping[str, Server],
    clock: Clock,
    base: str = "https://far.invalid/v1",
    store: Store | None = None,
) -> ModelClient:
    catalog = scripted_catalog(servers)
    settings = ProviderSettings(kind="scripted", api_base=base, default_model="model")
    catalog = replace(catalog, providers=dict.fromkeys(servers, settings))
    return ModelClient(catalog, Registry(lambda name, _: servers[name]), store, clock, clock.sleep)


async def failing(client: ModelClient, turns: int = 3) -> None:
    for _ in range(turns):
        try:
            await client.chat("one/model", ASK)
        except NoModel:
            continue


async def test_nothing_is_looked_at_while_nothing_failed() -> None:
    one, clock = Server(), Clock()
    client = client_of({"one": one}, clock)
    await client.probe()
    await client.chat("one/model", ASK)
    await client.probe()
    assert one.looked == 0
    assert client.well("one/model")


async def test_a_provider_is_brought_back_when_its_wait_is_over_and_no_call_pays_for_that() -> None:
    one, clock = Server(*[errors.Unreachable()] * 3), Clock()
    client = client_of({"one": one}, clock)
    await failing(client, 1)
    await failing(client, 1)
    assert len(one.asked) == 3
    assert not client.well("one/model")
    await client.probe()
    assert one.looked == 0, "not before its time"
    clock.now += 31
    await client.probe()
    assert (one.looked, len(one.asked)) == (1, 3)
    assert client.well("one/model")
    assert client.resting("one/model") == ()


async def test_one_failure_is_looked_into_although_nothing_rests() -> None:
    one, clock = Server(errors.Unreachable(), errors.Unreachable()), Clock()
    client = client_of({"one": one}, clock)
    await failing(client, 1)
    assert client.resting("one/model") == ()
    assert not client.well("one/model")
    await client.probe()
    assert client.well("one/model")


async def test_a_network_that_is_down_is_looked_at_ever_more_rarely() -> None:
    one, clock = Server(after=errors.Unreachable()), Clock()
    one.listing = errors.Unreachable()
    client = client_of({"one": one}, clock)
    await failing(client, 2)
    for _ in range(3600 // 30):
        clock.now += 30
        await client.probe()
    assert 12 <= one.looked <= 16


async def test_a_model_with_an_open_breaker_is_left_to_the_next_call() -> None:
    one, clock = Server(*[errors.Empty()] * 3), Clock()
    client = client_of({"one": one}, clock)
    await failing(client, 2)
    asked = len(one.asked)
    clock.now += 31
    await client.probe()
    assert (one.looked, len(one.asked)) == (0, asked)
    assert not client.well("one/model")
    await client.chat("one/model", ASK)
    assert client.well("one/model")


async def test_a_refused_key_is_shown_again_with_growing_pauses() -> None:
    one, clock = Server(after=errors.Denied()), Clock()
    one.listing = errors.Denied()
    client = client_of({"one": one}, clock)
    await failing(client, 1)
    looks: list[float] = []
    began = clock.now
    while clock.now < began + 3000:
        before = one.looked
        await client.probe()
        if one.looked > before:
            looks.append(clock.now)
        clock.now += 30
    pauses = [later - earlier for earlier, later in zip([began, *looks], looks, strict=False)]
    assert pauses[:7] == [*SPACING, 600.0, 600.0]
    one.listing = None
    clock.now += 600
    await client.probe()
    assert client.well("one/model")


async def test_a_time_that_the_server_named_is_waited_for() -> None:
    one, clock = Server(errors.Denied(retry_after=3600)), Clock()
    client = client_of({"one": one}, clock)
    await failing(client, 1)
    for _ in range(3600 // 30 - 1):
        clock.now += 30
        await client.probe()
    assert one.looked == 0
    clock.now += 30
    await client.probe()
    assert one.looked == 1


async def test_a_list_proves_no_money() -> None:
    one, clock = Server(errors.OutOfMoney()), Clock()
    client = client_of({"one": one}, clock)
    await failing(client, 1)
    for _ in range(40):
        clock.now += 30
        await client.probe()
    assert not client.well("one/model")
    await client.chat("one/model", ASK)
    assert client.well("one/model")


async def test_a_list_that_promised_too_much_is_not_believed_again() -> None:
    one, clock = Server(after=errors.ServerError()), Clock()
    client = client_of({"one": one}, clock)
    await failing(client, 2)
    clock.now += 31
    await client.probe()
    assert client.well("one/model"), "it is believed once"
    await failing(client, 1)
    for _ in range(20):
        clock.now += 30
        await client.probe()
    assert not client.well("one/model")
    one.after = "back"
    await client.chat("one/model", ASK)
    assert client.well("one/model")


@pytest.mark.parametrize(
    "error", [errors.UnknownModel("no such page"), errors.RateLimited(), errors.BadRequest()]
)
async def test_a_server_that_refuses_the_list_is_there(error: ProviderError) -> None:
    one, clock = Server(*[errors.Unreachable()] * 3), Clock()
    one.listing = error
    client = client_of({"one": one}, clock)
    await failing(client, 2)
    clock.now += 31
    await client.probe()
    assert client.well("one/model")


async def test_a_look_and_a_call_are_never_beside_each_other() -> None:
    one, two, clock = Server(*[errors.Unreachable()] * 3), Server(after="second"), Clock()
    client = client_of({"one": one, "two": two}, clock)
    await failing(client, 2)
    clock.now += 31
    one.gate = asyncio.Event()
    look = asyncio.create_task(client.probe())
    while not one.looked:
        await asyncio.sleep(0)
    await client.probe()
    assert one.looked == 1, "nor two looks"
    assert (await client.chat("reasoning", ASK)).route.provider == "two"
    one.gate.set()
    await look
    assert (await client.chat("reasoning", ASK)).route.provider == "one"


async def test_a_look_that_is_cut_off_gives_its_place_back() -> None:
    one, clock = Server(*[errors.Unreachable()] * 3), Clock()
    client = client_of({"one": one}, clock)
    await failing(client, 2)
    clock.now += 31
    one.gate = asyncio.Event()
    look = asyncio.create_task(client.probe())
    while not one.looked:
        await asyncio.sleep(0)
    look.cancel()
    await asyncio.wait([look])
    assert (await client.chat("one/model", ASK)).message.content == "back"


async def test_what_was_told_before_a_restart_is_looked_at_after_it() -> None:
    one, clock = Server(), Clock()
    client = client_of({"one": one}, clock)
    assert not client.well("one/model"), "nobody knows"
    await client.probe(["one/model", "gone/model"])
    assert client.well("one/model")
    assert not client.well("gone/model")
    await client.probe(["one/model"])
    assert (one.looked, one.asked) == (1, [])


async def test_what_is_found_outlives_a_restart() -> None:
    store, clock = Store(), Clock()
    one = Server(*[errors.Unreachable()] * 3)
    client = client_of({"one": one}, clock, store=store)
    await failing(client, 2)
    assert '"opened": 1' in store.rows["provider:one"]
    clock.now += 31
    await client.probe()
    assert store.rows["provider:one"] == "{}"


async def test_a_server_at_home_says_one_word_which_proves_its_model() -> None:
    one, clock = Server(*[errors.Unreachable()] * 3), Clock()
    client = client_of({"one": one}, clock, HOME)
    await failing(client, 2)
    asked = len(one.asked)
    clock.now += 31
    await client.probe()
    assert len(one.asked) == asked + 1
    assert one.asked[-1].request.max_tokens == 1
    assert client.well("one/model")


async def test_a_server_at_home_that_loads_is_neither_back_nor_blamed() -> None:
    one, clock = Server(*[errors.Unreachable()] * 3, errors.Loading(), "OK"), Clock()
    client = client_of({"one": one}, clock, HOME)
    await failing(client, 2)
    clock.now += 31
    await client.probe()
    assert not client.well("one/model")
    clock.now += 30
    await client.probe()
    assert client.well("one/model")


async def test_a_model_at_home_that_broke_is_asked_again_at_its_time() -> None:
    one, clock = Server(*[errors.CutStream()] * 4, "OK"), Clock()
    client = client_of({"one": one}, clock, HOME)
    await failing(client, 2)
    clock.now += 31
    await client.probe()
    assert not client.well("one/model")
    clock.now += 59
    await client.probe()
    assert one.turns == ["OK"], "not before its time"
    clock.now += 2
    await client.probe()
    assert client.well("one/model")


async def test_one_token_of_thinking_is_a_word() -> None:
    one, clock = Server(*[errors.Unreachable()] * 3, errors.Empty("it only thought")), Clock()
    client = client_of({"one": one}, clock, HOME)
    await failing(client, 2)
    clock.now += 31
    await client.probe()
    assert client.well("one/model")
