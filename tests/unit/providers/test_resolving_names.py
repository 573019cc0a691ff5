"""Names to routes: every step of the order, and what is said of a name that leads nowhere."""

from __future__ import annotations

import tomllib

import pytest

from providers.errors import UnknownName
from providers.refs import Known, Names, resolve
from providers.registry import Catalog
from providers.router import ModelRouter
from providers.settings import ProviderSettings
from providers.types import Route

SEED = """
[providers.openrouter]
api_key = "sk-or-example"
[providers.local]
api_base = "http://localhost:8080/v1"
[providers.anthropic]
api_key = "sk-ant-example"
[models]
main = "anthropic/claude-opus-4-20250514"
rlm = "anthropic/claude-haiku"
memory = "openrouter/google/gemma-3-27b-it:free"
local_main = "local/qwen3-30b"
local_worker = "local/nanbeige4.1-3b"
[roles]
reasoning = "main"
rlm = "rlm"
compaction = "memory"
reflection = "memory"
[fallback]
main = ["main", "rlm", "local_main"]
rlm = ["rlm", "memory", "local_worker"]
memory = ["memory", "local_worker", "rlm"]
"""


def router(text: str) -> ModelRouter:
    data = tomllib.loads(text)
    providers = {name: ProviderSettings(**table) for name, table in data["providers"].items()}
    return ModelRouter(Catalog.of(providers, data.get("models"), data.get("roles"), data.get("fallback")))


def routes(name: str, text: str = SEED) -> list[str]:
    return [str(candidate.route) for candidate in router(text).candidates(name)]


NAMES = Names(
    providers={
        "one": Known(("m", "x/y"), "m"),
        "two": Known(("m", "only-two")),
        "openrouter": Known((), "", "openrouter/"),
    },
    aliases={"fast": "one/quick", "faster": "fast", "round": "about", "about": "round", "self": "self"},
    roles={"reasoning": "faster", "rlm": "nothing"},
    fallback={
        "faster": ("fast", "two", "no-such", "two/z", "one/quick"),
        "spare": ("two/z",),
        "rlm": ("one",),
    },
)


def test_the_seeds_example_resolves_as_it_says() -> None:
    assert routes("reasoning") == [
        "anthropic/claude-opus-4-20250514",
        "anthropic/claude-haiku",
        "local/qwen3-30b",
    ]
    assert routes("rlm") == [
        "anthropic/claude-haiku",
        "openrouter/google/gemma-3-27b-it:free",
        "local/nanbeige4.1-3b",
    ]
    assert (
        routes("compaction")
        == routes("reflection")
        == [
            "openrouter/google/gemma-3-27b-it:free",
            "local/nanbeige4.1-3b",
            "anthropic/claude-haiku",
        ]
    )
    assert routes("main") == routes("reasoning")
    assert routes("anthropic/claude-haiku") == ["anthropic/claude-haiku"]


def test_the_seeds_second_example_loads_and_a_chain_may_name_a_provider() -> None:
    text = """
        [providers.openrouter]
        api_key = "sk-or-example"
        rate_limit_rpm = 20
        rate_limit_remaining = 15
        [providers.local]
        api_base = "http://localhost:8080/v1"
        [models]
        main = "openrouter/a/b"
        fast = "openrouter/c/d"
        [fallback]
        main = ["main", "fast", "local"]
    """
    assert routes("main", text) == ["openrouter/a/b", "openrouter/c/d", "local"]
    # No [roles]: the alias of the usual name serves.
    assert routes("reasoning", text) == routes("main", text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one/any/thing:at-all", [Route("one", "any/thing:at-all")]),
        ("two", [Route("two", "")]),
        ("one", [Route("one", "m")]),
        ("m", [Route("one", "m")]),
        ("only-two", [Route("two", "only-two")]),
        ("x/y", [Route("one", "x/y")]),
        ("fast", [Route("one", "quick")]),
        ("faster", [Route("one", "quick"), Route("two", ""), Route("two", "z")]),
        ("reasoning", [Route("one", "quick"), Route("two", ""), Route("two", "z")]),
        ("spare", [Route("two", "z")]),
        ("rlm", [Route("one", "m")]),
        ("openrouter/free", [Route("openrouter", "openrouter/free")]),
        ("openrouter/google/gemma:free", [Route("openrouter", "google/gemma:free")]),
    ],
)
def test_a_name_resolves(name: str, expected: list[Route]) -> None:
    assert list(resolve(name, NAMES).routes) == expected


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("onee", "did you mean 'one'"),
        ("three/m", "no provider is called three"),
        ("one/", "no provider lists such a model"),
        ("/m", "no provider is called"),
        ("", "unknown model ''"),
        ("round", "leads in a circle: round → about → round"),
        ("self", "leads in a circle: self → self"),
        ("no-such", "it has no fallback chain"),
    ],
)
def test_an_unknown_name_says_what_was_tried(name: str, says: str) -> None:
    with pytest.raises(UnknownName) as unknown:
        resolve(name, NAMES)

    assert says in str(unknown.value)
    assert unknown.value.name == name


def test_the_steps_tell_the_way_in_sentences() -> None:
    assert resolve("reasoning", NAMES).steps == (
        "role reasoning is faster",
        "faster is an alias of fast",
        "fast is an alias of one/quick",
        "one/quick is the model quick at the provider one",
        "fallback of faster: fast, two, no-such, two/z, one/quick",
        "fast → one/quick",
        (
            "no-such is left out: it is no role and no alias; no provider is called so; "
            "no provider lists such a model; it has no fallback chain"
        ),
    )


def test_a_role_that_leads_nowhere_says_what_its_name_stood_for() -> None:
    names = Names(NAMES.providers, {}, {"reasoning": "gone"}, {})

    with pytest.raises(UnknownName, match="role reasoning is gone"):
        resolve("reasoning", names)
