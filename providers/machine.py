"""What this machine can spare: memory and processors. Read from Linux's own files; elsewhere memory is unknown."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MEMORY = Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)


def available_memory(meminfo: Path = _MEMORY, group: Path = _CONTROL_GROUP) -> int | None:
    """Bytes that a program may take without others being swapped out: what is free or easily freed (proc(5)), within
    the limit of a container or unit (memory.max of its control group). None where nobody tells.
    """
    found = _AVAILABLE.search(_text(meminfo))
    free = int(found[1]) * 1024 if found else None
    limit, used = _text(group / "memory.max").strip(), _text(group / "memory.current").strip()
    if limit.isdecimal() and used.isdecimal():
        left = max(0, int(limit) - int(used))
        return left if free is None else min(free, left)
    return free


def processors() -> int:
    """Those that we may use: a container or a unit may have fewer than the machine."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux and FreeBSD have it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def threads(processors: int, most: int = 4) -> int:
    """How many threads compute, of so many processors.

    They wait for each other actively: two on two idle processors save a third of the time, two on two busy ones take
    ten times as long as one.
    """
    return max(1, min(most, processors // 2))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
