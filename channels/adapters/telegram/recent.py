"""What must be known of the messages just before to read one: of its album, of the version before an edit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from telegram import Message, Update

from channels.types import Inbound

_KEPT = 500
"""Albums and messages that are remembered; an edit of an older one passes for a change."""

Read = tuple[Update, Inbound]


class Recent:
    def __init__(self) -> None:
        self._called: dict[str, None] = {}
        """Albums in which the bot was called."""
        self._words: dict[tuple[int, int], str] = {}

    def sifted(self, batch: Sequence[Read]) -> list[Inbound]:
        """A batch with its albums whole and without edits that changed no word; changes nothing here."""
        called = {album for update, one in batch if one.addressed and (album := _album(update))} | {
            *self._called
        }
        found: list[Inbound] = []
        for update, one in batch:
            if one.edits and self._unchanged(update):
                continue
            whole = replace(one, addressed=True) if _album(update) in called else one
            _add(found, whole)
        return found

    def note(self, batch: Sequence[Read]) -> None:
        """Remember what was stored."""
        for update, one in batch:
            if one.addressed and (album := _album(update)):
                self._called[album] = None
            if message := _message(update):
                self._words[message.chat.id, message.message_id] = _written(message)
        for memory in (self._called, self._words):
            for old in list(memory)[:-_KEPT]:
                del memory[old]  # type: ignore[arg-type]  # its own key

    def _unchanged(self, update: Update) -> bool:
        """Telegram also tells of edits that no reader sees, such as a link's preview that was found."""
        message = _message(update)
        return message is not None and self._words.get((message.chat.id, message.message_id)) == _written(
            message
        )


def _add(found: list[Inbound], one: Inbound) -> None:
    """Append; the newer version of a message of the same batch takes its place."""
    for place, other in enumerate(found):
        if one.edits and (other.ref, other.address) == (one.edits, one.address):
            found[place] = replace(one, key=other.key, edits="", more_follows=other.more_follows)
            return
    found.append(one)


def _message(update: Update) -> Message | None:
    return update.message or update.edited_message


def _album(update: Update) -> str:
    message = _message(update)
    return (message.media_group_id or "") if message is not None else ""


def _written(message: Message) -> str:
    return message.text or message.caption or ""
