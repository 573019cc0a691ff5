"""Whether the last run of the daemon ended as it should: a file says so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

CUT_SHORT = (
    "I was ended in the middle of my work (a crash, the watchdog, a power cut) and started again. What was under way "
    "goes on; `nanobot logs` says more."
)
_AGAIN = 3600.0
"""Seconds within which the owner hears of it once, however often it happens."""
_GOES_ON, _ENDED = "runs", "ended"


@dataclass(frozen=True, slots=True)
class Runs:
    """The `file` says whether one goes on, and when the owner last heard (epoch seconds, as `clock` gives them)."""

    file: Path
    clock: Callable[[], float]

    def begin(self) -> bool:
        """Note that a run began; whether the owner is to hear how the last one ended."""
        before, heard = self._read()
        now = self.clock()
        tell = before == _GOES_ON and not 0.0 <= now - heard < _AGAIN
        self._write(_GOES_ON, now if tell else heard)
        return tell

    def end(self) -> None:
        """The run ends as it should."""
        self._write(_ENDED, self._read()[1])

    def _read(self) -> tuple[str, float]:
        try:
            state, heard = self.file.read_text(encoding="utf-8").split()
            return state, float(heard)
        except (OSError, ValueError):
            return "", 0.0  # the first run, or cut off while it was written

    def _write(self, state: str, heard: float) -> None:
        try:
            self.file.write_text(f"{state} {heard}\n", encoding="utf-8")
        except OSError as error:
            log.warning("%s can't be kept: %s", self.file, error.strerror)
