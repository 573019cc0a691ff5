"""Whether something stands word for word in a text: what tells an address that was given from one that was made up."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PART = r"[\w/?&=%#~+@:-]"
"""Characters that would make a longer word, or a longer address, of what is looked for."""


def stands_in(wanted: str, texts: Iterable[str]) -> bool:
    """Whether `wanted` stands in one of the texts as a whole, not as a part of something longer."""
    wanted = wanted.strip()
    if not wanted:
        return False
    # A full stop or comma may follow, but not one that goes on ("example.org" in "example.org.evil").
    whole = re.compile(rf"(?<!{_PART}){re.escape(wanted)}(?!{_PART}|[.,;!]{_PART})")
    return any(whole.search(text) for text in texts)
