"""One part of the file against the settings that describe it; everything wrong at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.config import describe
from bot.config.locate import Loc
from bot.config.report import Finding, found, hint, kind

M = TypeVar("M", bound=BaseModel)

_UNQUOTED = re.compile(r"[-+]?[\d_.]+|true|false")


def validate(model: type[M], data: Any, at: Loc) -> tuple[M | None, list[Finding]]:
    """`data`, which stands at `at` in the file, as `model`; or None and what is wrong with it.

    It goes through JSON, which can say what TOML can: a list may fill a tuple and a text a path, but no text
    is taken for a number.
    """
    try:
        return model.model_validate_json(json.dumps(data, default=_no_text), strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    schema = model.model_json_schema()
    problems = [_problem(detail, data, schema, at) for detail in details]
    return None, list(dict.fromkeys(problems))


def _problem(detail: ErrorDetails, data: Any, schema: Mapping[str, Any], at: Loc) -> Finding:
    full = detail["loc"]
    loc, value = _reach(data, full)
    match detail["type"]:
        case "extra_forbidden" if loc == full:
            known = describe.known_keys(schema, loc[:-1])
            return Finding((*at, *loc), f"unknown key; {hint(str(loc[-1]), known, 'there are')}")
        case _ if full[-1:] == ("[key]",):  # pydantic's way to say that it is the name
            known = describe.known_keys(schema, loc[:-1])
            return Finding((*at, *loc), f"unknown name; {hint(str(loc[-1]), known, 'there are')}")
        case "missing" if isinstance(value, dict):
            return Finding((*at, *full), f"is missing; expected {describe.expected(schema, full)}")
        case "value_error" | "assertion_error":
            return Finding((*at, *loc), str(detail["ctx"]["error"]))
    shown = kind(value) if describe.is_secret(schema, loc) else found(value)
    inside = " in the list" if isinstance(loc[-1] if loc else "", int) else ""
    wanted = describe.expected(schema, loc) or detail["msg"]
    unquoted = isinstance(value, str) and "text" not in wanted and _UNQUOTED.fullmatch(value)
    return Finding(
        (*at, *loc), f"found {shown}{inside}; expected {wanted}" + (", without quotes" if unquoted else "")
    )


def _no_text(moment: object) -> object:
    """For a date, which JSON lacks: something that no settings take."""
    return {str(moment): None}


def _reach(data: Any, loc: Loc) -> tuple[Loc, Any]:
    """As much of `loc` as leads somewhere in `data` (unions add names of their own), and what is there."""
    for end, step in enumerate(loc):
        leads_on = (
            step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int)
        )
        if not leads_on:
            return loc[:end], data
        data = data[step]
    return loc, data
