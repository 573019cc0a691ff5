"""The composed core doesn't grow back into a god struct, and no bag of parameters stands in for one."""

from __future__ import annotations

import dataclasses
import inspect

from bot.core import Core, CoreBuilder

MOST_FIELDS = 10
MOST_PARAMETERS = 3


def test_core_has_at_most_ten_fields() -> None:
    assert len(dataclasses.fields(Core)) <= MOST_FIELDS


def test_the_builder_takes_at_most_three_parameters() -> None:
    parameters = list(inspect.signature(CoreBuilder).parameters)
    assert parameters == ["config", "models", "database"]
    assert len(inspect.signature(CoreBuilder.build).parameters) - 1 <= MOST_PARAMETERS
