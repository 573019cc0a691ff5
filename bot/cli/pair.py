"""`nanobot pair`: strangers who were shown a code, and letting them in or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.cli.output import harmless
from bot.cli.status import duration


def render(pending: Sequence[Mapping[str, Any]], now: float) -> str:
    """The codes that wait, oldest first."""
    if not pending:
        return "Nobody waits to be let in. A stranger gets a code by writing to nanobot."
    lines = (
        f"{one['code']}  {one['channel']}  {one['sender_name'] or 'without a name'} ({one['sender']}), "
        f"for another {duration(one['expires_at'] - now)}"
        for one in pending
    )
    return harmless("\n".join([*lines, "Let one in with `nanobot pair approve CODE`."]))


def approved(who: Mapping[str, Any]) -> str:
    role = "the owner" if who.get("role") == "owner" else "a user"
    return harmless(f"Let in on {who.get('channel')} as {role}, by the name of {who.get('person')}.")
