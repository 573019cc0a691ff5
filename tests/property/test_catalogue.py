"""Whatever a server lists, reading it ends well: nothing raises, and nothing costs money that is called free."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers.catalogue import keep, parse, pick, ranked, vendor
from providers.types import Route
from tests.fakes.openrouter import entry

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FEES = st.sampled_from(["0", "0.0", "-1", "NaN", "1e999999", "0.000001", "", "x", 0, 0.5, None, True]) | JUNK
IDS = st.builds(
    "{}/{}{}{}".format,
    st.sampled_from(["a", "b", "c", "nvidia"]),
    st.sampled_from(["m", "m-120b-a12b", "m-4b", "guard", "m-1.7b", "x" * 50]),
    st.sampled_from(["", "-it", "-9999b"]),
    st.sampled_from(["", ":free", ":free", ":nitro"]),
)
ENTRIES = st.fixed_dictionaries(
    {"id": IDS | JUNK},
    optional={
        "context_length": st.integers() | JUNK,
        "top_provider": st.fixed_dictionaries({}, optional={"context_length": st.integers() | JUNK}) | JUNK,
        "architecture": st.fixed_dictionaries(
            {},
            optional={
                "input_modalities": st.lists(st.sampled_from(["text", "image"])) | JUNK,
                "output_modalities": st.lists(st.sampled_from(["text", "audio"])) | JUNK,
            },
        )
        | JUNK,
        "pricing": st.fixed_dictionaries(
            {}, optional={"prompt": FEES, "completion": FEES, "request": FEES, "input_cache_read": FEES}
        )
        | JUNK,
        "supported_parameters": st.lists(st.sampled_from(["tools", "reasoning", "x"])) | JUNK,
        "expiration_date": st.sampled_from(["2026-12-01", "2020-01-01", "2026-13-45", ""]) | JUNK,
        "reasoning": st.fixed_dictionaries({}, optional={"mandatory": JUNK, "default_enabled": JUNK}) | JUNK,
    },
)
LISTS = st.lists(ENTRIES | JUNK, max_size=8)
TODAY = date(2026, 11, 22)


@given(st.fixed_dictionaries({"data": LISTS}) | LISTS | JUNK)
def test_reading_never_fails_and_keeps_all_that_matters(body: Any) -> None:
    entries = parse(body)
    assert len({e.info.id for e in entries}) == len(entries)
    assert all(e.info.context_window is None or e.info.context_window > 0 for e in entries)
    assert parse(keep(body)) == entries


@given(LISTS)
def test_nothing_that_costs_money_is_ranked_as_free(rows: list[Any]) -> None:
    by_id: dict[str, Any] = {}
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("id"), str):
            by_id.setdefault(row["id"].strip(), row)
    for id_ in ranked("p", parse(rows), {}, TODAY):
        pricing = by_id[id_]["pricing"]
        assert id_.endswith(":free")
        assert Decimal(str(pricing["prompt"])) == Decimal(str(pricing["completion"])) == 0
        assert Decimal(str(pricing.get("request") or 0)) == 0
        assert "tools" in by_id[id_]["supported_parameters"]


@given(LISTS)
def test_what_was_kept_is_json(rows: list[Any]) -> None:
    json.loads(json.dumps(keep(rows)))


@given(st.lists(IDS, unique=True), st.integers(0, 6))
def test_a_pick_holds_the_best_and_the_first_three_differ_where_they_can(ids: list[str], most: int) -> None:
    picked = pick(ids, most)
    assert len(picked) == min(most, len(ids)) == len(set(picked))
    assert picked[:1] == tuple(ids[: min(most, 1)])
    vendors = [vendor(id_) for id_ in picked[:3]]
    assert len(set(vendors)) == min(len(picked[:3]), len({vendor(i) for i in ids}))


@given(st.lists(IDS, unique=True, min_size=1), st.integers(0, 50))
def test_failures_never_raise_a_rank(ids: list[str], failures: int) -> None:
    entries = parse([entry(id_) for id_ in ids])
    before = ranked("p", entries, {}, TODAY)
    for id_ in before:
        worse = ranked("p", entries, {Route("p", id_): (failures, 0)}, TODAY)
        assert worse.index(id_) >= before.index(id_)
