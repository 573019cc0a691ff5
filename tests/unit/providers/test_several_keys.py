"""Several keys at one provider: used in order, each resting for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from providers import errors
from providers.client import ModelClient
from providers.errors import NoModel, ProviderError
from providers.health import holder, owner, scopes, title
from providers.registry import Catalog, Registry
from providers.settings import ProviderSettings
from providers.testing import Clock, ScriptedProvider
from providers.types import ChatReply, ChatRequest, Message, Route
from tests.fakes.llm import LLMFake, Reply
from tests.unit.providers.test_resting_and_coming_back import Store

ASK = ChatRequest((Message("user", "hello"),))
KEYS = ("sk-first", "sk-second", "sk-third")


def settings(*keys: str, base: str = "https://p.invalid/v1") -> ProviderSettings:
    return ProviderSettings.model_validate({"api_base": base, "default_model": "m", "api_keys": list(keys)})


class Account(dict[str, ScriptedProvider]):
    """One double for each key, and one for the provider `other`, which stands last in every chain."""

    def client(self, clock: Clock, keys: tuple[str, ...], store: Store | None = None) -> ModelClient:
        def make(name: str, one: ProviderSettings) -> ScriptedProvider:
            return self[one.api_key.get_secret_value() if one.api_key else name]

        return ModelClient(catalog(keys), Registry(make), store, clock, clock.sleep)


def catalog(keys: tuple[str, ...]) -> Catalog:
    providers = {"p": settings(*keys), "other": settings(base="https://other.invalid/v1")}
    return Catalog.of(providers, {}, {"reasoning": "p"}, {"reasoning": ["p", "other"]})


def outcome(reply: ChatReply | NoModel) -> list[tuple[str, str, str, bool]]:
    return [(a.route.provider, a.error, a.detail, a.called) for a in reply.path]


@pytest.mark.parametrize(
    "error", [errors.Denied("no"), errors.OutOfMoney("no"), errors.RateLimited("no", retry_after=900)]
)
async def test_the_next_key_is_tried_at_once_and_before_the_next_candidate(error: ProviderError) -> None:
    clock, name = Clock(), type(error).__name__
    account = Account({"sk-first": ScriptedProvider(error), "sk-second": ScriptedProvider(after="Hello")})
    client = account.client(clock, KEYS[:2])

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [("p", name, "key 1: no", True), ("p", "", "key 2", True)]
    assert reply.path[0].until is not None
    assert clock.slept == []
    # From now on the first one costs nothing.
    reply = await client.chat("reasoning", ASK)
    assert outcome(reply) == [("p", name, "key 1: no", False), ("p", "", "key 2", True)]
    assert client.resting("reasoning") == ()


async def test_only_when_every_key_failed_the_next_candidate_answers() -> None:
    account = Account({key: ScriptedProvider(errors.Denied(key[3:])) for key in KEYS})
    account["other"] = ScriptedProvider(after="Hello")
    client = account.client(Clock(), KEYS)

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [
        ("p", "Denied", "key 1: first", True),
        ("p", "Denied", "key 2: second", True),
        ("p", "Denied", "key 3: third", True),
        ("other", "", "", True),
    ]
    assert [(c.route.provider, r.scope) for c, r in client.resting("reasoning")] == [("p", "credential:p")]


@pytest.mark.parametrize("error", [errors.ServerError(), errors.UnknownModel(), errors.BadRequest()])
async def test_what_is_no_fault_of_a_key_is_not_tried_with_another(error: ProviderError) -> None:
    account = Account({"sk-first": ScriptedProvider(after=error), "sk-second": ScriptedProvider()})
    account["other"] = ScriptedProvider(after="Hello")
    client = account.client(Clock(), KEYS[:2])
    try:
        path = (await client.chat("reasoning", ASK)).path
    except NoModel as refused:
        path = refused.path

    assert {a.error for a in path if a.route.provider == "p"} == {type(error).__name__}
    assert account["sk-second"].asked == []


async def test_a_provider_that_is_down_rests_with_all_its_keys() -> None:
    account = Account(
        {
            "sk-first": ScriptedProvider(after=errors.ServerError(retry_after=900)),
            "sk-second": ScriptedProvider(),
        }
    )
    account["other"] = ScriptedProvider(after="Hello")
    client = account.client(Clock(), KEYS[:2])

    for _ in range(3):
        assert (await client.chat("reasoning", ASK)).route.provider == "other"

    assert len(account["sk-first"].asked) == 1


async def test_the_key_that_is_back_first_is_waited_for() -> None:
    clock = Clock()
    account = Account(
        {
            "sk-first": ScriptedProvider(errors.RateLimited(retry_after=50), after="first"),
            "sk-second": ScriptedProvider(errors.RateLimited(retry_after=20), after="second"),
        }
    )
    client = account.client(clock, KEYS[:2])

    reply = await client.chat("p/m", ASK)

    assert reply.message.content == "second"
    assert clock.slept == [20]


async def test_where_all_keys_rest_the_earliest_return_is_told() -> None:
    clock = Clock()
    account = Account(
        {
            "sk-first": ScriptedProvider(errors.RateLimited(retry_after=600)),
            "sk-second": ScriptedProvider(errors.RateLimited(retry_after=900)),
        }
    )

    with pytest.raises(NoModel) as nobody:
        await account.client(clock, KEYS[:2]).chat("p/m", ASK)

    assert nobody.value.retry_at == clock.now + 600


async def test_each_keys_rest_outlives_a_restart() -> None:
    clock, store = Clock(), Store()
    account = Account({key: ScriptedProvider(errors.Denied(), after="Hello") for key in KEYS})
    account["sk-third"] = ScriptedProvider(after="Hello")
    await account.client(clock, KEYS, store).chat("reasoning", ASK)
    assert set(store.rows) == {"credential:p", "credential:p#2"}

    restarted = account.client(clock, KEYS, store)
    await restarted.restore()
    reply = await restarted.chat("reasoning", ASK)

    assert [a.called for a in reply.path] == [False, False, True]


@pytest.mark.parametrize(
    ("keys", "resting"),
    [
        (("sk-first", "sk-second"), {"credential:p", "credential:p#2"}),
        (("sk-new", "sk-second"), {"credential:p#2"}),
        (("sk-second", "sk-first"), set[str]()),
        (("sk-first",), {"credential:p"}),
        (("sk-new",), set[str]()),
        (("sk-first", "sk-second", "sk-third"), {"credential:p", "credential:p#2"}),
    ],
)
async def test_a_key_never_inherits_the_rest_of_another(keys: tuple[str, ...], resting: set[str]) -> None:
    clock, store = Clock(), Store()
    account = Account({key: ScriptedProvider(errors.Denied()) for key in KEYS})
    account["other"] = ScriptedProvider(after="Hello")
    client = account.client(clock, KEYS[:2], store)
    await client.chat("reasoning", ASK)

    restarted = account.client(clock, keys, store)
    await restarted.restore()
    await client.adopt(catalog(keys))

    for one in (restarted, client):
        assert {rest.scope for status in one.status() for rest in status.rests} == resting


async def test_another_address_ends_the_rests_of_all_keys() -> None:
    account = Account({key: ScriptedProvider(errors.Denied()) for key in KEYS})
    account["other"] = ScriptedProvider(after="Hello")
    client = account.client(Clock(), KEYS, None)
    await client.chat("reasoning", ASK)

    moved = Catalog.of({"p": settings(*KEYS, base="https://elsewhere.invalid/v1")})
    await client.adopt(moved)

    assert [rest for status in client.status() for rest in status.rests] == []


async def test_each_key_goes_out_on_connections_of_its_own() -> None:
    async with LLMFake() as llm:
        llm.push(Reply.error(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}))
        p = settings("sk-first", "sk-second", base=llm.base_url)
        client = ModelClient(Catalog.of({"p": p}, {}, {"reasoning": "p/fake-1"}))
        for _ in range(2):
            await client.chat("reasoning", ASK)
        await client.aclose()

    sent = [recorded.headers["authorization"] for recorded in llm.requests]
    assert sent == ["Bearer sk-first", "Bearer sk-second", "Bearer sk-second"]


def test_both_ways_to_give_keys_at_once_are_a_mistake() -> None:
    both: Mapping[str, Any] = {"api_key": "a", "api_keys": ["b"]}

    with pytest.raises(ValueError, match="stand side by side; put every key into api_keys"):
        ProviderSettings.model_validate(both)


def test_a_key_given_twice_is_one() -> None:
    assert [key.get_secret_value() for key in settings("a", "b", "a").keys] == ["a", "b"]


def test_scopes_belong_to_a_key_from_the_second_on() -> None:
    assert list(scopes(Route("or", "a/b:free"), 1).values()) == [
        "provider:or",
        "credential:or#2",
        "account:or#2:free",
        "model:or#2/a/b:free",
    ]


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("provider:groq", "groq"),
        ("credential:groq", "groq's key"),
        ("credential:groq#2", "groq's key 2"),
        ("account:groq#3", "groq's account (key 3)"),
        ("account:or:free", "or's free tier"),
        ("model:groq/a/b", "groq/a/b"),
        ("model:or#2/a/b:free", "or/a/b:free (key 2)"),
    ],
)
def test_a_scope_in_words(scope: str, words: str) -> None:
    assert title(scope) == words
    assert owner(scope) in ("groq", "or")
    assert holder(scope).startswith(owner(scope))
