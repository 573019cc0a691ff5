"""Every way of failing that is known, played over real sockets: what must happen does, and docs/FAULTS.md says it.

`make faults` prints the tables, `make faults ARGS=--write` renews the page.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.llm.cases import cases, more
from tests.faults import forty, oddities, table


@pytest.fixture(autouse=True)
def greenwich() -> Iterator[None]:
    with table.utc():
        yield


@pytest.mark.parametrize("key", forty.KEYS)
async def test_a_case(key: str) -> None:
    row = await forty.row(key)
    print(row.line())
    assert row.line() in table.kept("forty")


@pytest.mark.parametrize("key", oddities.MUST)
async def test_an_oddity(key: str) -> None:
    row = await oddities.row(key)
    print(row.line())
    assert row.line() in table.kept("oddities")


def test_no_case_is_left_out() -> None:
    assert {int(key.split()[0]) for key in forty.KEYS} == set(cases())
    assert set(oddities.MUST) == set(more())


def test_the_page_has_no_line_that_is_played_no_more() -> None:
    assert len(table.kept("forty")) == len(forty.KEYS)
    assert len(table.kept("oddities")) == len(oddities.MUST)
