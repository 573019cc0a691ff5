"""What the doctor finds of the linked mode without a connection: one of its own would end the daemon's."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator

from channels.adapters.whatsapp.linked import rules
from channels.adapters.whatsapp.linked.keeper import MARK
from channels.adapters.whatsapp.linked.login import LIBRARY
from channels.base import Examined, Host

_LIBRARY, _PHONE = "WhatsApp library", "WhatsApp phone"


async def examined(host: Host) -> AsyncGenerator[Examined, None]:
    """Whether the library is installed and a phone was linked here."""
    if importlib.util.find_spec(LIBRARY) is None:
        yield Examined("error", _LIBRARY, f"{LIBRARY} is not installed", rules.INSTALL)
    else:
        yield Examined("ok", _LIBRARY, f"{LIBRARY} is installed")
    if not (host.folder / MARK).exists():
        yield Examined("error", _PHONE, "no phone is linked", rules.LOGIN)
        return
    mode = host.folder.stat().st_mode & 0o077
    if mode:
        yield Examined(
            "warning", _PHONE, f"others on this machine can read {host.folder}", f"chmod 700 {host.folder}"
        )
    yield Examined("ok", _PHONE, f"was linked; its keys lie in {host.folder}")
