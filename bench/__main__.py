"""`python -m bench`: the daemon against the floor in one run, by turns, with the same stand-ins around both.

Prints a table. The exit code is 0 unless something could not be run: a benchmark is no test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import processes, report
from bench.run import Plan, Results, calls, measure, over_the_past
from bench.stored import Stored

_QUICK = Plan(
    starts=1,
    rounds=2,
    messages=10,
    bursts=1,
    burst_messages=20,
    burst_chats=5,
    chat_messages=20,
    call_rounds=2,
    calls=10,
    stored=(1_000, 20_000),
    stored_rounds=1,
    stored_messages=10,
    settle=0.2,
)


def main() -> None:
    options = _parser().parse_args()
    if not (processes.PROC / "self" / "smaps_rollup").exists():
        sys.exit("bench: processor time and memory are read from /proc, as Linux has it; there is none here")
    plan = _QUICK if options.quick else Plan()
    if options.calls:
        seen = asyncio.run(calls(plan))
        print(json.dumps(report.call_json(seen), indent=2) if options.json else report.call_table(seen))
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nanobot-bench-", dir=_on_disk()) as folder:
        try:
            if options.stored:
                _print_stored(asyncio.run(over_the_past(plan, Path(folder))), json_wanted=options.json)
                return
            results = asyncio.run(measure(plan, Path(folder)))
        except (AssertionError, TimeoutError, OSError) as error:
            sys.exit(f"bench: {error}")
    rows = list(report.rows(plan, results))
    facts = _facts(results, time.monotonic() - began)
    if options.json:
        told = {
            "rows": [row.as_json() for row in rows],
            "stored": [row.as_json() for row in report.stored_rows(results.stored)],
            "calls": report.call_json(results.calls),
        }
        print(json.dumps({**facts, **told}, indent=2))
    else:
        tables = (report.table(rows), report.stored_table(results.stored), report.call_table(results.calls))
        print("\n\n".join((*tables, _notes(facts))))


def _print_stored(seen: Sequence[Stored], *, json_wanted: bool) -> None:
    if json_wanted:
        print(json.dumps([row.as_json() for row in report.stored_rows(seen)], indent=2))
    else:
        print(report.stored_table(seen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print every round's figures, for programs")
    parser.add_argument("--calls", action="store_true", help="measure only calls of models, not the bots")
    parser.add_argument("--stored", action="store_true", help="measure only turns over few and many messages")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds, to see that it runs; no figures to quote"
    )
    return parser


def _on_disk() -> str | None:
    """Where what is written reaches a disk: the usual place for temporary files is often in memory."""
    folder = "/var/tmp"  # noqa: S108 -- a folder of its own is made in it
    return folder if os.access(folder, os.W_OK) else None


def _facts(results: Results, seconds: float) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "processors": len(os.sched_getaffinity(0)),
        "commit_ms": results.commit,
        "answers_in_a_burst": [
            median(b.answers for b in seen.bursts) for seen in (results.floor, results.daemon)
        ],
        "seconds": seconds,
    }


def _notes(facts: dict[str, Any]) -> str:
    floor, daemon = facts["answers_in_a_burst"]
    return (
        f"Python {facts['python']}, {facts['processors']} processors; a durable commit by SQLite alone takes "
        f"{facts['commit_ms']:.2f} ms here.\n"
        f"In a burst the floor wrote {floor:.0f} answers and nanobot {daemon:.0f}: it joins what waits in a chat.\n"
        f"Measured in {facts['seconds']:.0f} s."
    )


if __name__ == "__main__":
    main()
