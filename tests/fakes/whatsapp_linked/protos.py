"""The library's own protobufs without the library: importing it as a whole starts threads and sets up logging."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).parent / "site"
"""What goes first on a child's module path."""


def installed() -> bool:
    return importlib.util.find_spec("neonize") is not None


needed = pytest.mark.skipif(
    not installed(), reason="neonize is not installed: pip install 'nanobot-daemon[whatsapp]'"
)
"""For tests of the linked mode."""


@cache
def events() -> Any:
    """`neonize.proto.Neonize_pb2`: what the library tells."""
    return _module("neonize.proto.Neonize_pb2")


@cache
def e2e() -> Any:
    """`WAWebProtobufsE2E_pb2`: what people write."""
    return _module("neonize.proto.waE2E.WAWebProtobufsE2E_pb2")


def decode_error() -> type[Exception]:
    """What parsing raises; the protobufs' own package comes with the library."""
    found: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    return found


def _module(name: str) -> Any:
    if "neonize" not in sys.modules:
        sys.path.insert(0, str(SITE))
        try:
            importlib.import_module("neonize")
        finally:
            sys.path.remove(str(SITE))
    return importlib.import_module(name)
