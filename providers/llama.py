"""llama.cpp as a Python package: whether it is installed, and the command that serves a model with it.

The package is never imported in this process: it loads a hundred megabytes of native code. `providers.llama_process`
runs the server that `providers.llama_server` is.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGE = "xllamacpp"


def missing() -> str:
    """Why no model can be served here, or "" if it can. Starts nothing."""
    if importlib.util.find_spec(PACKAGE) is None:
        return f"the package {PACKAGE} is not installed; run: nanobot local install"
    return ""


def command(options: Mapping[str, object], *flags: str) -> tuple[str, ...]:
    """What starts the server; see its own options."""
    # By its path, since `-m` would look in the working folder first; -P keeps our `types` from shadowing Python's.
    server = Path(__file__).with_name("llama_server.py")
    return (
        sys.executable,
        "-P",
        str(server),
        *(str(part) for pair in options.items() for part in pair),
        *flags,
    )
