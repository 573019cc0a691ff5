"""The doctor's look at the units of systemd: whether what lies there is what this version would write."""

from __future__ import annotations

import asyncio
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from bot import paths
from bot.ops import units
from bot.ops.doctor import Check, Finding, Findings, Patient
from bot.ops.installing import systemd_version
from bot.ops.units import Layout


async def service(patient: Patient) -> Findings:
    """The system's unit, and the user's."""
    layouts = (units.system_layout(), units.user_layout(patient.env, paths.home(patient.env)))
    there = [layout for layout in layouts if layout.unit.exists()]
    if not there:
        yield Finding("ok", "service", "nanobot is no service here; `nanobot service install` makes it one")
        return
    version = await asyncio.to_thread(systemd_version)
    for layout in there:
        for finding in compared(layout, version, Path(sysconfig.get_path("scripts"), units.NAME)):
            yield finding


def compared(layout: Layout, systemd: int, program: Path) -> Iterator[Finding]:
    """How a unit that is there stands to `program`, which looks at it."""
    starts = units.program_of(units.invoked(layout.unit.read_text(encoding="utf-8", errors="replace")))
    if starts != program:
        # Another installation's unit has that one's text.
        yield Finding("ok", "service", f"{layout.unit} starts {starts}, not this nanobot")
        return
    drift = units.drifted(layout, systemd)
    fix = f"nanobot service install{' --user' if layout.user else ' (as root)'}"
    for one in drift:
        yield Finding("warning", "service", f"{one.path} {one.what}", fix)
    if not drift:
        yield Finding("ok", "service", f"{layout.unit} is as this version writes it")


SERVICE = Check("service", service)
