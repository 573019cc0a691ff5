"""What is remembered of each chat: when its person last wrote, and what was said lately, for those that answer it.

Within 24 hours of a person's last message they may be written to freely, later by approved templates only:
https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages#customer-service-windows

Forgetting any of it does no harm, so that no fault of the store reaches those who ask.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.adapters.whatsapp.cloud.fields import Holder, number, parts, words
from channels.adapters.whatsapp.cloud.reading import Said
from channels.base import Store
from channels.types import Attachment, Media, Whose

log = logging.getLogger(__name__)

WINDOW_SECONDS = 86_400.0
_REMEMBERED = 30
"""Messages of a chat."""
_LONGEST = 300
"""Characters of one."""
_CHATS = 200
"""Whose notes are held in memory."""
_PEOPLE = "people"


@dataclass(slots=True)
class Chat:
    """Times are epoch seconds, 0 for never. `closed`: WhatsApp said so, and nobody has written since."""

    heard_at: float = 0.0
    closed: bool = False
    asked_at: float = 0.0
    """When the template was last sent."""
    said: OrderedDict[str, Said] = field(default_factory=OrderedDict)

    def shut(self, now: float) -> bool:
        """Whether it is known that nothing but a template may be written."""
        return self.closed or bool(self.heard_at and now >= self.heard_at + WINDOW_SECONDS)


class Notes:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._chats: OrderedDict[str, Chat] = OrderedDict()
        self._numbers: dict[str, str] | None = None

    async def chat(self, chat: str) -> Chat:
        found = self._chats.get(chat)
        if found is None:
            found = self._chats.setdefault(chat, _chat(await self._load(_key(chat))))
            while len(self._chats) > _CHATS:
                self._chats.popitem(last=False)
        self._chats.move_to_end(chat)
        return found

    async def heard(self, chat: str, at: float) -> None:
        """Somebody wrote there; kept by the next `keep`."""
        found = await self.chat(chat)
        if at >= found.heard_at:  # WhatsApp tells whole seconds
            found.heard_at, found.closed, found.asked_at = at, False, 0.0

    async def remember(self, chat: str, ref: str, said: Said) -> None:
        """What was said there; kept by the next `keep`."""
        found = await self.chat(chat)
        found.said[ref] = Said(said.whose, said.text[:_LONGEST], said.files)
        while len(found.said) > _REMEMBERED:
            found.said.popitem(last=False)

    async def keep(self, chat: str) -> None:
        await self._save(_key(chat), _as_json(await self.chat(chat)))

    async def numbers(self) -> Mapping[str, str]:
        """The number of each person whose `user_id` was told beside it."""
        if self._numbers is None:
            known = await self._load(_PEOPLE)
            self._numbers = {user_id: words(known, user_id) for user_id in known}
        return self._numbers

    async def belongs(self, user_id: str, to: str) -> None:
        known = dict(await self.numbers())
        if user_id and to.isdecimal() and known.get(user_id) != to:
            known[user_id] = to
            self._numbers = known
            await self._save(_PEOPLE, known)

    async def _load(self, key: str) -> Holder:
        try:
            return await self._store.load(key) or {}
        except Exception as error:  # noqa: BLE001 -- see above; it is logged
            log.warning("WhatsApp: notes can't be read: %s", error)
            return {}

    async def _save(self, key: str, value: Mapping[str, Any]) -> None:
        try:
            await self._store.save(key, value)
        except Exception as error:  # noqa: BLE001 -- see above; it is logged
            log.warning("WhatsApp: notes can't be kept: %s", error)


def _key(chat: str) -> str:
    return f"chat {chat}"


def _as_json(chat: Chat) -> dict[str, Any]:
    return {
        "heard_at": chat.heard_at,
        "closed": chat.closed,
        "asked_at": chat.asked_at,
        "said": [
            {
                "ref": ref,
                "whose": said.whose.value,
                "text": said.text,
                "files": [
                    {"kind": one.kind.value, "name": one.name, "mime": one.mime, "ref": one.ref}
                    for one in said.files
                ],
            }
            for ref, said in chat.said.items()
        ],
    }


def _chat(kept: Holder) -> Chat:
    said = OrderedDict((words(one, "ref"), _said(one)) for one in parts(kept, "said"))
    return Chat(number(kept, "heard_at"), kept.get("closed") is True, number(kept, "asked_at"), said)


def _said(kept: Holder) -> Said:
    files = tuple(
        Attachment(Media(words(one, "kind")), words(one, "name"), words(one, "mime"), 0, words(one, "ref"))
        for one in parts(kept, "files")
    )
    return Said(Whose(words(kept, "whose")), words(kept, "text"), files)
