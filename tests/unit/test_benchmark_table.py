"""The benchmark's table: what is compared, and when an aim counts as met."""

from __future__ import annotations

import json

import pytest

from bench.client import BARE, OURS, Overhead
from bench.contest import Scenario
from bench.report import Row, call_table, table


@pytest.mark.parametrize(
    ("daemon", "aim", "result", "met"),
    [
        ([6.0, 5.0, 90.0], 2.0, 2.0, True),
        ([6.1, 6.0, 6.3], 2.0, 6.1 / 3, False),
        ([6.0], None, 2.0, None),
    ],
)
def test_the_medians_ratio_is_held_against_the_aim(
    daemon: list[float], aim: float | None, result: float, met: bool | None
) -> None:
    row = Row("latency", "ms", [3.0, 1.0, 40.0], daemon, aim)
    assert row.result == pytest.approx(result)
    assert row.met is met


@pytest.mark.parametrize(("daemon", "met"), [(1.9, True), (2.1, False)])
def test_an_overhead_is_a_difference(daemon: float, met: bool) -> None:
    row = Row("a call", "ms", [1.0], [daemon], 1, over=True)
    assert row.result == pytest.approx(daemon - 1)
    assert row.met is met


def test_the_table_shows_medians_spans_and_verdicts_in_columns() -> None:
    rows = [
        Row("latency", "ms", [2.0, 3.0, 4.0], [5.0, 5.5, 123.4], 2),
        Row("memory", "MB", [58.04], [93.2], 1.5),
        Row("a call", "ms", [0.5], [0.75], 1, over=True),
        Row("a long one", "ms", [1.0], [3.0]),
    ]
    head, *lines = table(rows).splitlines()
    assert head.split() == ["floor", "nanobot", "aim"]
    assert lines[0].startswith("latency  ")
    assert "3.00 ms (2.00-4.00)  5.50 ms (5.00-123)" in lines[0]
    assert [line.split()[-1] for line in lines] == ["met", "missed", "met", "x"]
    assert "+0.25 ms" in lines[2]
    assert len({line.index(" ms ") for line in (lines[2], lines[3])}) == 1


def test_a_row_is_json_with_its_rounds() -> None:
    told = json.loads(json.dumps(Row("latency", "ms", [2.0], [5.0], 2).as_json()))
    assert told["floor"] == [2.0]
    assert (told["result"], told["met"]) == (2.5, False)


def test_calls_are_shown_over_bare_httpx_with_what_was_asked_in_vain() -> None:
    calls = [
        Overhead(
            Scenario("the first rests", failing=1, rests=True),
            {BARE: [1.0, 1.2, 0.9], OURS: [1.4, 1.6, 1.3], "other 1.0": [3.0, 3.0, 3.0]},
            {BARE: 0, OURS: 0, "other 1.0": 1},
        ),
        Overhead(Scenario("refuses", failing=1), {BARE: [2.0], OURS: [3.5], "other 1.0": [1.5]},
                 {BARE: 1, OURS: 1, "other 1.0": 3}),
        Overhead(Scenario("many pieces", pieces=200), {BARE: [2.0], OURS: [5.0], "other 1.0": [50.0]},
                 {BARE: 0, OURS: 0, "other 1.0": 0}),
    ]  # fmt: skip
    head, rests, refuses, pieces = call_table(calls).splitlines()
    assert head.split("  ")[0] == "a model call, when"
    assert head.endswith("other 1.0")
    assert "1.00 ms (0.90-1.20)  +0.40 ms" in rests
    assert rests.endswith("met  +2.00 ms, 1 in vain")
    assert "+1.50 ms  1 ms  missed" in refuses
    assert refuses.endswith("-0.50 ms, 2 in vain")
    assert not {"met", "missed"} & set(pieces.split()), "there is no aim for a long stream"
