"""Groups that became supergroups, which have another number: their conversations stay what they are.

https://core.telegram.org/bots/api#responseparameters, `migrate_to_chat_id`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from telegram import Message, Update

from channels.base import Store
from channels.types import Address, Inbound

_KEY = "moved groups"


class MovedGroups:
    """Sends go to the new number, and what comes from there belongs to the old address. Kept in `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._new: dict[str, str] | None = None

    async def chat(self, address: Address) -> str:
        """The number under which a conversation's chat is reached now."""
        return (await self._known()).get(address.chat, address.chat)

    async def learn(self, update: Update) -> None:
        """Remember what an update says of a move. Raises what the store raises."""
        if update.message is not None and (move := _move(update.message)):
            await self.moved(*move)

    async def moved(self, old: str, new: str) -> None:
        known = await self._known()
        if known.get(old) != new:
            await self._store.save(_KEY, {**known, old: new})
            known[old] = new

    async def at_home(self, message: Inbound) -> Inbound:
        """The message at the address by which its conversation began."""
        known = await self._known()
        old = next((old for old, new in known.items() if new == message.address.chat), None)
        return message if old is None else replace(message, address=replace(message.address, chat=old))

    async def _known(self) -> dict[str, str]:
        if self._new is None:
            found: Mapping[str, str] = await self._store.load(_KEY) or {}
            self._new = dict(found)
        return self._new


def _move(message: Message) -> tuple[str, str] | None:
    if message.migrate_to_chat_id is not None:
        return str(message.chat.id), str(message.migrate_to_chat_id)
    if message.migrate_from_chat_id is not None:
        return str(message.migrate_from_chat_id), str(message.chat.id)
    return None
