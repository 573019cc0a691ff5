"""What a model's file says of itself, and what serving it takes. Reads the head of a GGUF file, nothing else.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
WIDEST = 32_768
"""Tokens. A processor needs minutes to read a longer prompt."""
NARROWEST = 4_096
"""Tokens. With less, the system prompt and the tools leave no room for a conversation."""
UNKNOWN_MACHINE = 8_192
"""Tokens, where nobody tells how much memory there is."""
OVERHEAD = 512 * 1024 * 1024
"""Bytes for computing beside the weights and the context: about that of a model of 4 billion parameters."""

_ENTRIES = 100_000
_TEXT = 1 << 24
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_VOCABULARY = "tokenizer.ggml.tokens"
"""Large; what we want stands before it in every file."""

Value = str | int | float | bool | list["Value"]


class NotAModel(ValueError):
    """Why a file can't be served, in one line that begins with its path."""


@dataclass(frozen=True, slots=True)
class Model:
    """`window` is the trained one in tokens, `per_token` the bytes of memory that each token of context takes; 0 where
    the file doesn't tell. `size` is the file's, in bytes.
    """

    name: str
    size: int
    window: int = 0
    per_token: int = 0


def read(path: Path) -> Model:
    """The head of a model's file. Raises `NotAModel`."""
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise NotAModel(f"{path}: is not a GGUF model (other formats have to be converted)")
            size = path.stat().st_size
            return _described(_entries(file), size)
    except IsADirectoryError:
        raise NotAModel(f"{path}: is a folder; name the .gguf file in it") from None
    except OSError as error:
        raise NotAModel(f"{path}: {error.strerror}") from error
    except (struct.error, UnicodeDecodeError, KeyError, _Absurd):
        raise NotAModel(f"{path}: its head is damaged; fetch the file again") from None


def problem(path: Path) -> str:
    """Why the file can't be served, or ""."""
    try:
        read(path)
    except NotAModel as error:
        return str(error)
    return ""


def window_for(model: Model, memory: int | None) -> int:
    """The context in tokens to serve it with where `memory` bytes are available: at most half of what the weights leave
    goes to it.
    """
    if memory is None or not model.per_token:
        fitting = UNKNOWN_MACHINE
    else:
        fitting = (memory - model.size - OVERHEAD) // 2 // model.per_token
    widest = min(WIDEST, model.window or WIDEST)
    return max(min(NARROWEST, widest), min(widest, fitting // 1024 * 1024))


class _Absurd(ValueError):
    """A length that no model's file has."""


def _entries(file: BinaryIO) -> dict[str, Value]:
    _version, _tensors, count = struct.unpack("<IQQ", file.read(20))
    if count > _ENTRIES:
        raise _Absurd
    found: dict[str, Value] = {}
    for _ in range(count):
        key = _string(file)
        if key == _VOCABULARY:
            break
        (kind,) = struct.unpack("<I", file.read(4))
        found[key] = _value(file, kind)
    return found


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        inner, length = struct.unpack("<IQ", file.read(12))
        if length > _ENTRIES or inner == _ARRAY:
            raise _Absurd
        return [_value(file, inner) for _ in range(length)]
    layout = f"<{_NUMBERS[kind]}"
    (number,) = struct.unpack(layout, file.read(struct.calcsize(layout)))
    value: Value = number
    return value


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _TEXT:
        raise _Absurd
    text = file.read(length)
    if len(text) < length:
        raise _Absurd
    return text.decode()


def _described(found: dict[str, Value], size: int) -> Model:
    family = found.get("general.architecture")
    layers = _number(found.get(f"{family}.block_count"))
    heads = _number(found.get(f"{family}.attention.head_count"))
    width = _number(found.get(f"{family}.embedding_length"))
    shared = found.get(f"{family}.attention.head_count_kv", heads)
    per_head = width // heads if heads else 0
    keys = _number(found.get(f"{family}.attention.key_length")) or per_head
    values = _number(found.get(f"{family}.attention.value_length")) or per_head
    # Some families have another number of heads in each layer.
    all_heads = sum(map(_number, shared)) if isinstance(shared, list) else _number(shared) * layers
    name = found.get("general.name")
    return Model(
        name if isinstance(name, str) else "",
        size,
        _number(found.get(f"{family}.context_length")),
        all_heads * (keys + values) * 2,  # two bytes a number
    )


def _number(value: Value | None) -> int:
    return value if isinstance(value, int) and 0 < value < 1 << 40 else 0
