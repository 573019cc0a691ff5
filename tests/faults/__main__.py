"""`python -m tests.faults`: play every case and print the tables; with --write, keep them in docs/FAULTS.md."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.faults import forty, oddities, table
from tests.faults.rows import Row


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew docs/FAULTS.md")
    write = parser.parse_args().write
    with table.utc():
        seen, wrong = asyncio.run(_played())
    for name, rows in seen.items():
        print(f"{table.text(rows)}\n")
        if write and not wrong:
            table.write(name, rows)
    if wrong:
        sys.exit("\n".join(wrong))


async def _played() -> tuple[dict[str, list[Row]], list[str]]:
    """The rows of each table, and a line for each case in which something else happened than must."""
    plays = {"forty": (forty.row, forty.KEYS), "oddities": (oddities.row, oddities.MUST)}
    seen: dict[str, list[Row]] = {}
    wrong: list[str] = []
    for name, (row, keys) in plays.items():
        seen[name] = []
        for key in keys:
            try:
                seen[name].append(await row(key))
            except AssertionError as error:
                wrong.append(f"case {key!r} went wrong: {error} (tests/faults says what must happen)")
    return seen, wrong


if __name__ == "__main__":
    main()
