"""Looks into JSON that others made, whatever its shape. Pure; never raises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from channels.markup import well_formed

Holder = Mapping[str, Any]


def part(holder: Holder, name: str) -> Holder:
    """An object in an object; an empty one where there is none."""
    found = holder.get(name)
    return found if isinstance(found, Mapping) else {}


def parts(holder: Holder, name: str) -> Sequence[Holder]:
    """The objects of a list in an object."""
    found = holder.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def words(holder: Holder, name: str) -> str:
    """A text in an object, of which lone surrogates are replaced, since they can't be stored; numbers count as texts,
    anything else as "".
    """
    found = holder.get(name)
    if isinstance(found, str):
        return well_formed(found)
    return str(found) if isinstance(found, int | float) and not isinstance(found, bool) else ""


def number(holder: Holder, name: str) -> float:
    """A number in an object, also one that is written as a text; 0 where there is none."""
    try:
        found = float(words(holder, name))
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
