"""The raw mails of tests/mails and what is said of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "mails"
SERVER = "mx.home.example"
OWN = {"bot@home.example"}


def expectations() -> dict[str, dict[str, Any]]:
    return tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))


def raw(name: str) -> bytes:
    return (FOLDER / f"{name}.eml").read_bytes()
