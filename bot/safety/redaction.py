"""Secrets left out by value: wherever a text goes to a model, a person or the log, none of ours is in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

_SHORTEST = 6
"""Characters: what is shorter occurs in ordinary words."""
MARK = "[secret]"


class Redactor:
    """Replaces each secret, also as it looks in a URL, in base64 and in hexadecimal."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._shapes: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Leave these out from now on, too; old ones stay out: they stand in what was written before."""
        self._shapes |= {shape for secret in secrets if len(secret) >= _SHORTEST for shape in _shapes(secret)}
        # Longest first, so that a secret that contains another is replaced whole.
        ordered = sorted(self._shapes, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MARK, text) if self._pattern else text


def _shapes(secret: str) -> Iterable[str]:
    yield secret
    yield quote(secret, safe="")
    yield secret[::-1]
    raw = secret.encode()
    yield raw.hex()
    # Base64 of a text that something stands before: only what lies wholly within the secret is the same each time.
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + raw).decode()
        inner = coded[(offset * 8 + 5) // 6 : (offset + len(raw)) * 8 // 6]
        if len(inner) >= _SHORTEST:
            yield inner
