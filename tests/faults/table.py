"""docs/FAULTS.md: the table of what was seen, between two marks of the page."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.rows import Row

PAGE = Path(__file__).parents[2] / "docs" / "FAULTS.md"
_HEAD = (
    "| case | what the first does | it became | rests then | what the person reads | calls | seconds |\n"
    "|---|---|---|---|---|---|---|"
)


def text(rows: Iterable[Row]) -> str:
    return "\n".join([_HEAD, *(row.line() for row in rows)])


def kept(name: str) -> list[str]:
    """The lines of the page's table of this name."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition(_mark(name))
    table, end, _ = after.partition(_END)
    assert end, f"{PAGE.name} has no table {name!r}"
    return table.strip().splitlines()[2:]


def write(name: str, rows: Iterable[Row]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, mark, after = page.partition(_mark(name))
    _, end, rest = after.partition(_END)
    assert mark, f"{PAGE.name} has no table {name!r}"
    assert end, f"{PAGE.name} has no table {name!r}"
    PAGE.write_text(f"{before}{mark}\n{text(rows)}\n{end}{rest}", encoding="utf-8")


_END = "<!-- end -->"


def _mark(name: str) -> str:
    return f"<!-- table: {name} -->"


@contextmanager
def utc() -> Iterator[None]:
    """Times of day as in Greenwich, whatever this machine's zone is."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
