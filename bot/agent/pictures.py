"""Pictures that people sent, as models take them."""

from __future__ import annotations

import logging
from pathlib import Path

from providers.types import Image

log = logging.getLogger(__name__)

# The first bytes say what a file is; its name and what its sender called it may be wrong.
_SIGNS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)


def picture(workspace: Path, path: str) -> Image | None:
    """The picture at a path below the workspace; None where there is none that models take."""
    try:
        data = (workspace / path).read_bytes()
    except OSError as error:
        log.warning("the picture %s can't be read: %s", path, error.strerror)
        return None
    kind = next((kind for sign, kind in _SIGNS if data.startswith(sign)), "")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "image/webp"
    return Image(kind, data) if kind else None
