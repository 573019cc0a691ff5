"""A referee that is not the client library: aiogram's models, generated from the published Bot API.

Importing aiogram takes seconds, so `Schema.load()` is called only where checking is wanted.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from .forms import Call


class Schema:
    """Lists what is wrong with a request or an object; an empty list means that it fits."""

    def __init__(self, methods: dict[str, type[BaseModel]], types: dict[str, type[BaseModel]]) -> None:
        self._methods = methods
        self._types = types

    @classmethod
    def load(cls) -> Schema:
        from aiogram import methods, types  # noqa: PLC0415 - two to six seconds

        found: dict[str, type[BaseModel]] = {}
        for name in methods.__all__:
            model = getattr(methods, name)
            if name != "TelegramMethod" and isinstance(model, type) and hasattr(model, "__api_method__"):
                found[str(model.__api_method__)] = model
        objects = {
            name: getattr(types, name)
            for name in ("Update", "Message", "ChatFullInfo", "User", "File", "WebhookInfo")
        }
        return cls(found, objects)

    def knows(self, method: str) -> bool:
        return method in self._methods

    def check_request(self, call: Call) -> list[str]:
        model = self._methods.get(call.method)
        if model is None:
            return [f"unknown method {call.method!r}"]
        params = {name: _decoded(value) for name, value in call.params.items()}
        params |= {name: f"attach://{name}" for name in call.files if name in model.model_fields}
        return _problems(model, params)

    def check_result(self, method: str, value: Any) -> list[str]:
        """A method's result against what it is said to return."""
        returns = getattr(self._methods[method], "__returning__", None)
        try:
            parsed: Any = TypeAdapter(returns).validate_python(value)
        except ValidationError as error:
            return [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        return _extras(parsed, "")

    def check_object(self, kind: str, value: dict[str, Any]) -> list[str]:
        return _problems(self._types[kind], value)


def _decoded(value: Any) -> Any:
    """Objects and lists travel as JSON text in forms."""
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _problems(model: type[BaseModel], value: dict[str, Any]) -> list[str]:
    try:
        parsed = model.model_validate(value)
    except ValidationError as error:
        return [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    return _extras(parsed, "")


def _extras(value: Any, place: str) -> list[str]:
    """Keys that no model knows, at any depth."""
    if isinstance(value, list):
        return [found for item in value for found in _extras(item, place)]
    if not isinstance(value, BaseModel):
        return []
    found = [f"unknown key {place + name!r}" for name in value.model_extra or {}]
    for name in value.model_fields_set:
        found += _extras(getattr(value, name, None), f"{place}{name}.")
    return found
