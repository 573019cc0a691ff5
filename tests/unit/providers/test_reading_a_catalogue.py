"""What a gateway's list tells: prices, windows, abilities, and which models are free and worth asking."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from providers import catalogue
from providers.catalogue import Entry, parse, pick, ranked, tier_of, vanished
from providers.retirement import Retired, still_retired
from providers.types import Price, Route
from tests.fakes.openrouter import MODELS, entry

TODAY = date(2026, 11, 22)


def one(**changes: Any) -> Entry:
    return parse({"data": [entry("vendor/model-30b:free", **changes)]})[0]


def free(*models: dict[str, Any], measured: dict[str, tuple[int, int]] | None = None) -> list[str]:
    known = {Route("openrouter", id_): counts for id_, counts in (measured or {}).items()}
    return list(ranked("openrouter", parse({"data": models}), known, TODAY))


def test_an_entry_is_read_whole() -> None:
    body = entry(
        "vendor/big-200b",
        1_000_000,
        architecture={"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        pricing={
            "prompt": "0.0000014",
            "completion": "0.0000044",
            "request": "0",
            "input_cache_read": "0.00000014",
        },
        top_provider={"context_length": 200_000},
        reasoning={"mandatory": False, "default_enabled": True},
        expiration_date="2026-12-11",
    )
    read = parse({"data": [body]})[0]
    info = read.info
    assert info.id == "vendor/big-200b"
    assert info.context_window == 200_000  # what is served, not what the model could do
    assert (info.tools, info.vision, info.thinks, info.tier) == (True, True, True, "strong")
    assert info.price == Price(1.4, 4.4, 0.14)
    assert read.expires == date(2026, 12, 11)
    assert not read.free


@pytest.mark.parametrize(
    ("changes", "is_free"),
    [
        ({}, True),
        ({"pricing": {"prompt": "0", "completion": "0.0"}}, True),
        ({"pricing": {"prompt": "0", "completion": "0", "request": None}}, True),
        ({"pricing": {"prompt": "0", "completion": "0.000001", "request": "0"}}, False),
        ({"pricing": {"prompt": "0", "completion": "0", "request": "0.01"}}, False),
        ({"pricing": {"prompt": "-1", "completion": "-1"}}, False),
        ({"pricing": {}}, False),
        ({"pricing": None}, False),
        ({"pricing": {"prompt": "NaN", "completion": "0"}}, False),
        ({"supported_parameters": ["max_tokens"]}, False),
        ({"supported_parameters": None}, False),
        ({"architecture": {"input_modalities": ["image"], "output_modalities": ["text"]}}, False),
        ({"architecture": {"input_modalities": ["text"], "output_modalities": ["image"]}}, False),
        ({"architecture": None}, False),
        ({"id": "vendor/model-30b"}, False),
        ({"id": "nvidia/nemotron-3.5-content-safety:free"}, False),
        ({"id": "meta/llama-guard-4-12b:free"}, False),
        ({"id": "openai/gpt-oss-safeguard-20b:free"}, False),
        ({"id": "poolside/laguna-s-2.1:free"}, True),
    ],
)
def test_free_with_tools_takes_all_of_the_conditions(changes: dict[str, Any], is_free: bool) -> None:
    assert one(**changes).free is is_free


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ({}, True),
        ({"expiration_date": "2026-11-23"}, True),
        ({"expiration_date": "2026-11-22"}, False),
        ({"expiration_date": "2025-01-01"}, False),
        ({"expiration_date": "soon"}, True),
        ({"context_length": 8192}, False),
        ({"context_length": None, "top_provider": {"context_length": 65_536}}, True),
        ({"context_length": None, "top_provider": None}, False),
        ({"top_provider": {"context_length": 4096}}, False),
    ],
)
def test_an_expired_or_narrow_one_is_not_asked(changes: dict[str, Any], there: bool) -> None:
    assert bool(free(entry("vendor/model-30b:free") | changes)) is there


def test_a_price_that_is_not_the_whole_price_is_none() -> None:
    prices = {e.info.id: e.info.price for e in parse({"data": list(MODELS)})}
    assert prices["openrouter/auto"] is None
    assert prices["openrouter/free"] == Price(0.0, 0.0)
    assert one(id="x/preview", pricing={"prompt": "0", "completion": "0"}).info.price is None
    assert one(pricing={"prompt": "0", "completion": "0", "request": "0.01"}).info.price is None


def test_size_and_success_rank_and_the_middle_beats_the_giants() -> None:
    ids = [
        f"a/giant-550b-a55b{F}",
        f"b/good-120b-a12b{F}",
        f"c/small-4b{F}",
        f"d/fair-31b-it{F}",
        f"e/who{F}",
    ]
    assert free(*map(entry, ids)) == [ids[1], ids[3], ids[0], ids[4], ids[2]]
    # The best by size failed every second time; the next one hardly ever.
    counts = {ids[1]: (100, 50), ids[3]: (40, 39)}
    assert free(*map(entry, ids), measured=counts)[:2] == [ids[3], ids[0]]
    # One failure is no verdict.
    assert free(*map(entry, ids), measured={ids[1]: (1, 0)})[0] in (ids[1], ids[3])


F = ":free"


def test_the_first_three_are_of_different_vendors() -> None:
    best_first = ["a/1", "a/2", "a/3", "b/1", "c/1", "d/1"]
    assert pick(best_first) == ("a/1", "b/1", "c/1", "a/2")
    assert pick(["a/1", "a/2", "a/3", "b/1"]) == ("a/1", "b/1", "a/2", "a/3")
    assert pick(["a/1", "a/2"]) == ("a/1", "a/2")
    assert pick([]) == ()


@pytest.mark.parametrize(
    ("id_", "size"),
    [
        ("nvidia/nemotron-3-super-120b-a12b:free", 120.0),
        ("nvidia/nemotron-3-nano-omni-30b-a3b-reasoning:free", 30.0),
        ("liquid/lfm-3-1.7b:free", 1.7),
        ("mistral/mixtral-8x7b", 56.0),
        ("minimax/minimax-m3.1-flash:free", None),
        ("x-ai/grok-4.1-fast:free", None),
        ("vendor/a12b", None),
    ],
)
def test_a_size_is_read_from_the_id(id_: str, size: float | None) -> None:
    assert catalogue.size_of(id_) == size


@pytest.mark.parametrize(
    ("id_", "asked", "tier"),
    [
        ("anthropic/claude-sonnet-5-5", 10.0, "strong"),
        ("vendor/medium-27b", 4.0, "capable"),
        ("vendor/model-8b", 0.15, "weak"),
        ("vendor/model-8b", 9.0, "weak"),
        ("vendor/gpt-oss-20b", 0.1, "capable"),
        ("vendor/unknown", 0.5, "capable"),
        ("vendor/unknown", 0.1, "weak"),
        ("vendor/unknown", None, "weak"),
        ("vendor/nemotron-120b", 0.0, "capable"),
    ],
)
def test_tiers_follow_from_price_and_size(id_: str, asked: float | None, tier: str) -> None:
    assert tier_of(id_, None if asked is None else Price(0.1, asked)) == tier


def test_a_free_model_is_judged_by_its_paid_twin() -> None:
    twins = [
        entry("x-ai/grok-fast:free"),
        entry("x-ai/grok-fast", pricing={"prompt": "0.000002", "completion": "0.000006"}),
    ]
    assert {e.info.id: e.info.tier for e in parse({"data": twins})} == {
        "x-ai/grok-fast:free": "strong",
        "x-ai/grok-fast": "strong",
    }
    assert parse({"data": twins[:1]})[0].info.tier == "weak"


def test_what_is_kept_reads_the_same() -> None:
    body = {"data": [*MODELS, entry("a/b", reasoning={"mandatory": True, "supported_efforts": ["low"]})]}
    kept = catalogue.keep(body)
    assert parse(kept) == parse(body)
    assert "name" not in kept[0]
    assert kept[0]["supported_parameters"] == ["tools"]


def test_a_list_in_another_form_is_read_and_doubles_count_once() -> None:
    rows = [entry("a/b:free"), entry("a/b:free", 1), {"id": 3}, "x", {"id": "  "}]
    assert [e.info.id for e in parse(rows)] == ["a/b:free"]
    assert parse({"models": []}) == parse(None) == parse("x") == ()


def test_a_retired_model_is_back_when_it_was_gone_and_is_listed_again() -> None:
    route, other = Route("openrouter", "a/b:free"), Route("kilo", "a/b:free")
    retired = {route: Retired(1000.0), other: Retired(1000.0)}
    assert still_retired(retired, "openrouter", ["a/b:free"], 2000.0) == retired
    gone = still_retired(retired, "openrouter", ["c/d"], 2000.0)
    assert gone == {route: Retired(1000.0, gone=True), other: Retired(1000.0)}
    assert still_retired(gone, "openrouter", ["a/b:free"], 3000.0) == {other: Retired(1000.0)}
    # The list never left it out: believed again after a week.
    assert still_retired(retired, "openrouter", ["a/b:free"], 1000.0 + 7 * 86_400) == {other: Retired(1000.0)}


def test_what_vanished_is_named_in_order() -> None:
    assert vanished(["a", "b", "c"], ["c", "d"]) == ("a", "b")
