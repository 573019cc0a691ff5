"""Text as it can be stored and sent."""

from __future__ import annotations


def valid(text: str) -> str:
    """Join the halves of a character that UTF-16 cuts in two, and replace a half that stands alone.

    Such halves come out of JSON, of a terminal and of file names that aren't UTF-8; no encoder takes them.
    """
    return (
        text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    )
