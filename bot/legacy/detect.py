"""Whose configuration a file is, by the keys that only one of the two programs has."""

from __future__ import annotations

from bot.legacy.made import Format
from bot.legacy.old import Old
from bot.legacy.source import Source

_RUST = (
    ("memory",), ("toolDelegation",), ("provenance",), ("voice",), ("worker",), ("trio",), ("cluster",), ("lcm",),
    ("proprioception",), ("modelCapabilities",), ("perplexityGate",),
    ("agents", "defaults", "maxContextTokens"), ("agents", "defaults", "maxConcurrentChats"),
    ("agents", "defaults", "localModel"), ("agents", "defaultLane"),
    ("channels", "email", "username"), ("channels", "email", "pollIntervalSecs"),
    ("channels", "whatsapp", "bridgePort"),
)  # fmt: skip
_PYTHON = (
    ("modelPresets",), ("api",), ("transcription",), ("desktop",), ("cli",),
    ("agents", "defaults", "provider"), ("agents", "defaults", "modelPreset"), ("agents", "defaults", "fallbackModels"),
    ("agents", "defaults", "contextWindowTokens"), ("agents", "defaults", "timezone"), ("agents", "defaults", "dream"),
    ("agents", "defaults", "reasoningEffort"), ("agents", "defaults", "memoryWindow"),
    ("channels", "sendProgress"), ("channels", "sendToolHints"), ("channels", "websocket"),
    ("channels", "email", "imapUsername"), ("channels", "telegram", "groupPolicy"),
    ("channels", "telegram", "streaming"),
    ("tools", "mcpServers"), ("tools", "restrictToWorkspace"), ("tools", "ssrfWhitelist"), ("tools", "exec", "enable"),
    ("gateway", "heartbeat"),
)  # fmt: skip
_SHARED = ("agents", "providers", "channels", "tools", "gateway")


def format_of(source: Source) -> Format | None:
    """None where the file is neither's. A file that could be either's counts as the Rust program's, the stricter one:
    an empty list of senders let everybody in there, which is said.
    """
    rust, python = Old(source, loose=False, strict_nulls=True), Old(source, loose=True, strict_nulls=False)
    for_rust = sum(rust.has(*path) for path in _RUST)
    for_python = sum(python.has(*path) for path in _PYTHON)
    for_python += sum(python.has("providers", name, extra) for name in _sections(python) for extra in _EXTRAS)
    if not for_rust and not for_python and not any(name in source.data for name in _SHARED):
        return None
    return Format.PYTHON if for_python > for_rust else Format.RUST


_EXTRAS = ("extraHeaders", "extraBody", "displayName")


def _sections(old: Old) -> list[str]:
    return old.names("providers")
