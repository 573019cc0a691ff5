"""Names of folders as IMAP writes them. Pure."""

from __future__ import annotations

import re
from binascii import b2a_base64


def folder_name(name: str) -> str:
    """In modified UTF-7 (RFC 3501, 5.1.3)."""
    return re.sub(r"&|[^ -~]+", lambda found: f"&{_encoded(found[0])}-", name)


def _encoded(text: str) -> str:
    if text == "&":
        return ""
    return b2a_base64(text.encode("utf-16-be"), newline=False).decode().rstrip("=").replace("/", ",")
