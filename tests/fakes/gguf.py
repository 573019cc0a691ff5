"""Heads of models' files, written by hand."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

LLAMA: Mapping[str, object] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "llama.block_count": 32,
    "llama.context_length": 262_144,
    "llama.embedding_length": 2560,
    "llama.attention.head_count": 20,
    "llama.attention.head_count_kv": 4,
}


def head(values: Mapping[str, object] = LLAMA) -> bytes:
    """A file's beginning that says this, before a vocabulary."""
    body = b"".join(_text(key) + _typed(value) for key, value in values.items())
    vocabulary = _text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 1 << 40)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(values) + 1) + body + vocabulary


def write(path: Path, values: Mapping[str, object] = LLAMA, size: int = 0) -> Path:
    """Such a file, made `size` bytes long."""
    path.write_bytes(head(values).ljust(size, b"\0"))
    return path


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _typed(value: object) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 4, len(value)) + b"".join(struct.pack("<I", one) for one in value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<II", 4, value)
