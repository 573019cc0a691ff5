"""What the system says of a process and of all that it started: processor time and memory, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """In MB of a million bytes: resident, and with shared pages divided among those who share them."""

    resident: float
    proportional: float


def processor_seconds(session: int) -> float:
    """User and system time of a session's processes so far, those included that they have seen end."""
    return sum(sum(_times(member)) for member in _members(session)) / _TICKS


def memory(session: int) -> Memory:
    """What a session's processes hold now."""
    resident = proportional = 0
    for member in _members(session):
        for line in (PROC / str(member) / "smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            resident += int(rest.split()[0]) if name == "Rss" else 0
            proportional += int(rest.split()[0]) if name == "Pss" else 0
    return Memory(resident * 1024 / 1e6, proportional * 1024 / 1e6)


def _members(session: int) -> Iterator[int]:
    for entry in PROC.iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                yield int(entry.name)
        except ProcessLookupError:
            continue


def _times(process: int) -> list[int]:
    """utime, stime, cutime and cstime in ticks; fields 14 to 17 of proc_pid_stat(5), after a name in brackets."""
    after_name = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    return [int(field) for field in after_name[11:15]]
