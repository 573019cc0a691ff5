"""What must be known of the messages just before to read one: of its album, of the version before an edit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from telegram import Message, Update

from channels.types import Inbound

_KEPT = 500
"""Albums and messages that are remembered; an edit of an older one passes for a change."""
_MOST_OF_AN_ALBUM = 10
_AT_ONCE = timedelta(seconds=2)
"""Between the parts of a text that Telegram's app cut."""

Read = tuple[Update, Inbound]


@dataclass(slots=True)
class Recent:
    _called: dict[str, None] = field(default_factory=dict)
    """Albums in which the bot was called."""
    _aside: dict[str, tuple[Inbound, ...]] = field(default_factory=dict)
    """Files of albums in which it was not, so far."""
    _cut: dict[str, datetime] = field(default_factory=dict)
    """Whose last message is the beginning of a long text for the bot, and when it was sent."""
    _words: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    """What messages say, and the file that they hold."""

    def copy(self) -> Recent:
        return Recent(dict(self._called), dict(self._aside), dict(self._cut), dict(self._words))

    def sift(self, batch: Sequence[Read]) -> list[Inbound]:
        """A batch with its albums and long texts whole and without edits that changed nothing. It is remembered."""
        self._called |= {album: None for update, one in batch if one.addressed and (album := _album(update))}
        found: list[Inbound] = []
        for update, one in batch:
            message = update.message or update.edited_message
            if message is not None and self._unchanged(message) and one.edits:
                continue
            for part in self._whole(one, _album(update)):
                _add(found, part)
        for memory in (self._called, self._aside, self._cut, self._words):
            for old in list(memory)[:-_KEPT]:
                del memory[old]  # type: ignore[arg-type]  # its own key
        return found

    def _unchanged(self, message: Message) -> bool:
        """Telegram also tells of edits that no reader sees, such as a link's preview that was found."""
        held = message.photo[-1] if message.photo else message.effective_attachment
        place = message.chat.id, message.message_id
        words = message.text or message.caption or "", getattr(held, "file_unique_id", "")
        known, self._words[place] = self._words.get(place), words
        return known == words

    def _whole(self, one: Inbound, album: str) -> list[Inbound]:
        """A message, meant for the bot if what it belongs to is, after what turns out now to be so."""
        if one.edits:
            return [replace(one, addressed=one.addressed or album in self._called)]
        if album in self._called:
            return [replace(part, addressed=True) for part in (*self._aside.pop(album, ()), one)]
        if album:
            self._aside[album] = (*self._aside.get(album, ()), one)[:_MOST_OF_AN_ALBUM]
            return [one]
        who = f"{one.address}:{one.sender.id}"
        cut = self._cut.pop(who, None)
        if cut is not None and one.at - cut <= _AT_ONCE:
            one = replace(one, addressed=True)
        if one.addressed and one.more_follows:
            self._cut[who] = one.at
        return [one]


def _add(found: list[Inbound], one: Inbound) -> None:
    """Append; the newer version of a message of the same batch takes its place."""
    for place, other in enumerate(found):
        if one.edits and (other.ref, other.address) == (one.edits, one.address):
            found[place] = replace(one, key=other.key, edits=other.edits, more_follows=other.more_follows)
            return
    found.append(one)


def _album(update: Update) -> str:
    message = update.message or update.edited_message
    return (message.media_group_id or "") if message is not None else ""
