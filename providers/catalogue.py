"""What a gateway's list tells of its models: windows, prices, abilities, and which are free and worth asking. Pure.

The form is OpenRouter's `GET /models` (https://openrouter.ai/docs, November 2026): prices are strings in US dollars
for one token. Kilo lists in the same form. Nothing in a list is trusted to be of the right type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from providers.health import pooled
from providers.types import ModelInfo, Price, Route, Tier

FREE_ROUTER = "openrouter/free"
"""A free model that OpenRouter draws anew for each call: the last resort, since no two answers have one author."""
MOST_FREE = 4
"""How many free models a chain gets before the last resort. All of them share one allowance a day."""
DIVERSE = 3
"""The first so many are of different vendors, whose hosts seldom fail together."""
NEEDED_WINDOW = 32_768
"""Tokens. A smaller window does not hold a conversation with tools."""

STRONG_PRICE = 3.5
CAPABLE_PRICE = 0.3
"""US dollars for a million tokens of the answer from which a model counts as strong, or as capable."""
STRONG_SIZE = 70.0
CAPABLE_SIZE = 20.0
"""Billions of parameters."""

_KEPT = (
    "id",
    "context_length",
    "architecture",
    "pricing",
    "top_provider",
    "supported_parameters",
    "expiration_date",
    "reasoning",
)
_KEPT_INSIDE = {
    "architecture": ("input_modalities", "output_modalities"),
    "pricing": ("prompt", "completion", "request", "input_cache_read"),
    "top_provider": ("context_length",),
    "reasoning": ("mandatory", "default_enabled"),
}
_PARAMETERS = ("tools", "reasoning")
_CLASSIFIER = re.compile(r"content-safety|(?<![a-z])(?:safe)?guard(?:ian|s)?(?![a-z])", re.IGNORECASE)
_SIZE = re.compile(r"(?<![\w.])(?:(\d{1,3})x)?(\d{1,5}(?:\.\d{1,3})?)b(?![a-z0-9])", re.IGNORECASE)
_LONGEST_WINDOW = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed model. `free`: it costs nothing and can hold a conversation with tools; `expires` is the day from
    which on it can't be called any more.
    """

    info: ModelInfo
    free: bool = False
    expires: date | None = None


def keep(body: object) -> list[dict[str, Any]]:
    """The part of a list that `parse` reads, as JSON objects to store; what is no entry is left out."""
    return [_trimmed(entry) for entry in _entries(body)]


def parse(body: object) -> tuple[Entry, ...]:
    """The models of a list as it came, or as `keep` kept it. The first of two entries with one id counts."""
    found: dict[str, Entry] = {}
    for raw in _entries(body):
        entry = _entry(raw)
        found.setdefault(entry.info.id, entry)
    return tuple(_tiered(entry, found) for entry in found.values())


def ranked(
    provider: str,
    entries: Iterable[Entry],
    measured: Mapping[Route, tuple[int, int]],
    today: date,
    need: int = NEEDED_WINDOW,
) -> tuple[str, ...]:
    """The ids of the free models that can be called `today` and have a window of `need` tokens, the best first.

    What a model is worth by its size counts with the square of how often it answered: `measured` has (calls, answers
    among them) of routes. One that was never called is taken to answer four times of five.
    """
    usable = [
        entry
        for entry in entries
        if entry.free
        and (entry.expires is None or today < entry.expires)
        and (entry.info.context_window or 0) >= need
    ]

    def key(entry: Entry) -> tuple[float, float, int, str]:
        calls, answers = measured.get(Route(provider, entry.info.id), (0, 0))
        score = _worth(entry.info.id) * _reliability(calls, answers) ** 2
        return (-score, -(size_of(entry.info.id) or 0.0), -_window(entry), entry.info.id)

    return tuple(entry.info.id for entry in sorted(usable, key=key))


def pick(best_first: Iterable[str], most: int = MOST_FREE) -> tuple[str, ...]:
    """The first `most`, among them the first three of different vendors as far as there are."""
    left = list(best_first)
    picked: list[str] = []
    while left and len(picked) < most:
        vendors = {vendor(id_) for id_ in picked} if len(picked) < DIVERSE else set()
        chosen = next((id_ for id_ in left if vendor(id_) not in vendors), left[0])
        picked.append(chosen)
        left.remove(chosen)
    return tuple(picked)


def vendor(id_: str) -> str:
    """Who made a model, by the first part of its id."""
    return id_.partition("/")[0]


def size_of(id_: str) -> float | None:
    """Billions of parameters, all experts together, as the id says; the active ones (`a12b`) are not looked at."""
    match = _SIZE.search(id_)
    return float(match[2]) * int(match[1] or 1) if match else None


def tier_of(id_: str, price: Price | None) -> Tier:
    """How able a model probably is.

    What its vendor asks for it tells most: from 3.50 dollars for a million tokens of answer on it is strong, from
    0.30 on capable. Its size, where the id says it, binds: under 70 billion parameters it is not strong, under
    20 billion weak, from 20 billion on at least capable. A model of unknown size and price is weak. A free model is
    judged by the price of its paid twin (see `parse`).
    """
    asked = price.completion if price else 0.0
    size = size_of(id_)
    if size is not None and size < CAPABLE_SIZE:
        return "weak"
    if asked >= STRONG_PRICE and (size is None or size >= STRONG_SIZE):
        return "strong"
    return "capable" if asked >= CAPABLE_PRICE or size is not None else "weak"


def vanished(before: Iterable[str], after: Iterable[str]) -> tuple[str, ...]:
    """The ids that a newer list leaves out."""
    left = set(after)
    return tuple(id_ for id_ in before if id_ not in left)


# One entry


def _entries(body: object) -> Iterator[Mapping[str, Any]]:
    rows = body.get("data") if isinstance(body, Mapping) else body
    for row in rows if isinstance(rows, list | tuple) else ():
        if isinstance(row, Mapping) and isinstance(row.get("id"), str) and row["id"].strip():
            yield row


def _trimmed(entry: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in _KEPT:
        value = entry.get(name)
        if name == "supported_parameters" and isinstance(value, list | tuple):
            value = [one for one in value if isinstance(one, str) and one in _PARAMETERS]
        elif name in _KEPT_INSIDE:
            value = (
                {n: value[n] for n in _KEPT_INSIDE[name] if n in value}
                if isinstance(value, Mapping)
                else None
            )
        if value is not None:
            kept[name] = value
    return kept


def _entry(raw: Mapping[str, Any]) -> Entry:
    id_ = raw["id"].strip()
    architecture = _mapping(raw.get("architecture"))
    takes, gives = _texts(architecture.get("input_modalities")), _texts(architecture.get("output_modalities"))
    parameters = _texts(raw.get("supported_parameters"))
    pricing = _mapping(raw.get("pricing"))
    info = ModelInfo(
        id_,
        _smaller(raw.get("context_length"), _mapping(raw.get("top_provider")).get("context_length")),
        tools=None if parameters is None else "tools" in parameters,
        vision=None if takes is None else "image" in takes,
        thinks=_thinks(_mapping(raw.get("reasoning")), parameters),
        price=_price(id_, pricing),
    )
    talks = "text" in (takes or ()) and "text" in (gives or ()) and not _CLASSIFIER.search(id_)
    free = id_.endswith(":free") and _costs_nothing(pricing) and info.tools is True and talks
    return Entry(info, free, _day(raw.get("expiration_date")))


def _tiered(entry: Entry, known: Mapping[str, Entry]) -> Entry:
    """With its tier, a free model's by the price of the same model without `:free`."""
    twin = known.get(entry.info.id.removesuffix(":free"), entry)
    tier = tier_of(entry.info.id, twin.info.price or entry.info.price)
    return replace(entry, info=replace(entry.info, tier=tier))


def _thinks(reasoning: Mapping[str, Any], parameters: Sequence[str] | None) -> bool | None:
    """Whether it thinks unless told not to; None where it can, and nobody says if it does."""
    if reasoning.get("mandatory") is True or reasoning.get("default_enabled") is True:
        return True
    if reasoning.get("default_enabled") is False:
        return False
    return None if parameters is None or "reasoning" in parameters else False


def _price(id_: str, pricing: Mapping[str, Any]) -> Price | None:
    """For a million tokens; None where that doesn't say it all: prices that vary, or a fee for each request.

    Zero counts only where the id says so too: routers and previews are listed with odd prices.
    """
    prompt, completion = _million(pricing.get("prompt")), _million(pricing.get("completion"))
    if prompt is None or completion is None or _million(pricing.get("request") or 0) != 0:
        return None
    if prompt == completion == 0 and not pooled(id_):
        return None
    return Price(prompt, completion, _million(pricing.get("input_cache_read")))


def _costs_nothing(pricing: Mapping[str, Any]) -> bool:
    fees = (pricing.get("prompt"), pricing.get("completion"), pricing.get("request") or 0)
    return all(_million(fee) == 0 for fee in fees)


def _million(fee: object) -> float | None:
    """Dollars for a million tokens from dollars for one; None where it is no amount."""
    if isinstance(fee, bool) or not isinstance(fee, str | int | float):
        return None
    try:
        amount = Decimal(str(fee).strip())
    except (InvalidOperation, ValueError):  # ValueError: an integer of thousands of digits
        return None
    if not amount.is_finite() or not 0 <= amount <= 1_000:
        return None
    return float(amount.scaleb(6))


def _smaller(*windows: object) -> int | None:
    known = [
        w for w in windows if isinstance(w, int) and not isinstance(w, bool) and 0 < w <= _LONGEST_WINDOW
    ]
    return min(known, default=None)


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if isinstance(text, str) else None
    except ValueError:
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(values: object) -> tuple[str, ...] | None:
    return tuple(v for v in values if isinstance(v, str)) if isinstance(values, list | tuple) else None


# What is better


def _reliability(calls: int, answers: int) -> float:
    """The part of calls that is answered, five imagined ones among them of which four were."""
    return (answers + 4) / (calls + 5)


def _worth(id_: str) -> float:
    """Larger is better up to a point: the largest free models are slow and often overloaded."""
    size = size_of(id_)
    if size is None:
        return 0.7
    steps = ((7.0, 0.3), (CAPABLE_SIZE, 0.6), (STRONG_SIZE, 0.85), (300.0, 1.0))
    return next((worth for limit, worth in steps if size < limit), 0.8)


def _window(entry: Entry) -> int:
    return entry.info.context_window or 0
