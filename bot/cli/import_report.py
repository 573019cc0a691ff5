"""What `nanobot import` did, for a person and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.cli.output import harmless
from bot.legacy.files import Copied
from bot.legacy.made import Format
from bot.legacy.notes import Fate, Note, of_fate
from bot.storage.imports import Stored


@dataclass(slots=True)
class Report:
    """What was done, or with `dry_run` would be."""

    file: Path
    format: Format
    config: Path
    workspace: Path
    dry_run: bool
    notes: list[Note] = field(default_factory=list)
    copied: Copied = field(default_factory=lambda: Copied(0, 0, (), ()))
    stored: Stored = field(default_factory=Stored)
    before: Path | None = None
    """Where the configuration that stood there is kept."""

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "format": self.format.name.lower(),
            "config": str(self.config),
            "dry_run": self.dry_run,
            "files": {"copied": self.copied.done, "there": self.copied.there},
            "conversations": self.stored.talks,
            "messages": self.stored.messages,
            "jobs": self.stored.reminders,
            "notes": [
                {
                    "fate": note.fate.name.lower(),
                    "old": note.old,
                    "line": note.line,
                    "new": note.new,
                    "text": note.text,
                }
                for note in self.notes
            ],
        }


def render(report: Report) -> str:
    lines = [f"{report.file} is {report.format}."]
    for fate in Fate:
        notes = of_fate(report.notes, fate)
        if notes:
            lines += ["", f"{fate.value[0].upper()}{fate.value[1:]}:"]
            lines += [
                f"  {line}"
                for line in (_grouped(notes) if fate is Fate.IDLE else [note.said() for note in notes])
            ]
    return harmless("\n".join([*lines, "", *_ending(report)]))


def _grouped(notes: Sequence[Note]) -> Iterator[str]:
    """Keys of one section that have the same said of them, on one line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        section, _, key = note.old.rpartition(".")
        groups.setdefault((section, note.text), []).append(key)
    for (section, text), keys in groups.items():
        yield f"{section + '.' if section else ''}{', '.join(keys)}: {text}"


def _ending(report: Report) -> Iterator[str]:
    would = "would be " if report.dry_run else ""
    copied, stored = report.copied, report.stored
    if copied.done or copied.there:
        there = f", {copied.there} were there already" if copied.there else ""
        yield f"Files: {copied.done} {would}copied to {report.workspace}{there}."
    if stored.talks or stored.known:
        known = f", {stored.known} were there already" if stored.known else ""
        yield f"Conversations: {stored.talks} {would}imported with {stored.messages} messages{known}."
    if stored.reminders:
        yield f"Jobs: {stored.reminders} {would}imported; none of them runs until `nanobot jobs confirm NUMBER`."
    if report.dry_run:
        yield f"Nothing was written. Without --dry-run the configuration goes to {report.config}."
        return
    kept = f" The one before is in {report.before}." if report.before else ""
    yield f"The configuration is in {report.config}, {report.file} is as it was.{kept}"
    yield "Next: `nanobot check`, then `nanobot doctor`."
