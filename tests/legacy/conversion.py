"""An old configuration converted in memory, as `nanobot import` does it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.legacy import check, detect, python, rust, source
from bot.legacy.made import Around, Format, Made
from bot.legacy.notes import Fate, Note

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Converted:
    made: Made
    text: str

    @property
    def toml(self) -> dict[str, Any]:
        return tomllib.loads(self.text)

    def notes(self, fate: Fate, about: str = "") -> list[Note]:
        return [note for note in self.made.notes if note.fate is fate and about in f"{note.old} {note.new}"]

    def said(self) -> str:
        return "\n".join(note.said() for note in self.made.notes)


def example(name: str) -> dict[str, Any]:
    """One of the two realistic files, with keys that are none."""
    data: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return data


def converted(
    data: Any, env: Mapping[str, str] | None = None, approved: Mapping[str, list[str]] | None = None
) -> Converted:
    found = source.parse(json.dumps(data, indent=1).encode(), HERE / "config.json")
    around = Around(approved or {}, env or {})
    kind = detect.format_of(found)
    assert kind is not None
    made = rust.convert(found, around) if kind is Format.RUST else python.convert(found, around)
    return Converted(made, check.settle(made, found, env or {}))
