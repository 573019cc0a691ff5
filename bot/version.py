"""Which version of the program this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def program_version() -> str:
    """The installed distribution's version."""
    try:
        return version("nanobot-daemon")
    except PackageNotFoundError:
        return "0 (not installed)"
