"""A channel that only configurations know: one file in the folder of adapters, as anybody may add one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from channels.base import ChannelSpec, PersonKey


class PigeonSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: SecretStr
    lofts: tuple[str, ...] = ()
    speed: float = Field(default=80, gt=0)

    @field_validator("seed")
    @classmethod
    def _known_grain(cls, seed: SecretStr) -> SecretStr:
        if not seed.get_secret_value().startswith("grain-"):
            raise ValueError("is no seed; expected grain-... as the shop prints it")
        return seed


def ring(value: Any) -> str:
    number = int(value)
    if number < 1:
        raise ValueError("rings count from 1")
    return str(number)


def create(settings: Any, commands: Any) -> Any:
    raise NotImplementedError


SPEC = ChannelSpec(
    "pigeon", PigeonSettings, create, PersonKey("ring", ring, "the number on the ring, 1 or more")
)
