"""The benchmark's table: what is compared, and when an aim counts as met."""

from __future__ import annotations

import json

import pytest

from bench.report import Row, table


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
