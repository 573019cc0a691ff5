"""Where old conversations and jobs belong here: which chat of which person."""

from __future__ import annotations

import re

from bot.legacy.jobs import Errand
from bot.legacy.made import Made
from bot.legacy.notes import Fate, Note
from bot.legacy.people import spec
from bot.legacy.transcripts import Talk
from bot.storage.imports import PastMessage, PastTalk
from bot.storage.tables import Reminder
from channels.types import Address

_TERMINAL = Address("terminal", "main")
_TOPIC = re.compile(r"(?P<chat>-?\d+)(?::(?:topic|thread):(?P<thread>\d+))?")


class Places:
    """Knows people by the conversion of their configuration. What finds no place is noted."""

    def __init__(self, made: Made, notes: list[Note]) -> None:
        self._made = made
        self._notes = notes

    def talks(self, found: list[Talk]) -> list[PastTalk]:
        out: dict[Address, PastTalk] = {}
        for talk in found:
            place = self._place(talk.channel, talk.chat)
            if place is None:
                text = "is with nobody who may write here, and was left out"
                self._notes.append(Note(Fate.DROPPED, f"conversation {talk.key!r}", "", text))
                continue
            address, person = place
            turns = [
                [
                    PastMessage(one.role, one.text, one.at, "untrusted" if one.derived else "own")
                    for one in turn
                ]
                for turn in talk.turns
            ]
            if address in out:
                text = "is with the same chat as another one, which is kept, and was left out"
                self._notes.append(Note(Fate.DROPPED, f"conversation {talk.key!r}", "", text))
                continue
            out[address] = PastTalk(address, person, bool(person), turns)
        return list(out.values())

    def reminders(self, found: list[Errand], now: float) -> list[Reminder]:
        """Rows that are never due until they are confirmed."""
        return [self._reminder(one, now) for one in found]

    def _reminder(self, one: Errand, now: float) -> Reminder:
        place = self._place(one.channel, one.chat)
        address, person = place if place and place[1] else self._home()
        self._notes.append(
            Note(Fate.TODO, f"job {one.name!r}", "", "waits: `nanobot jobs reminders` shows it")
        )
        return Reminder(
            person=person,
            session=str(address),
            text=one.text,
            task=True,
            every=one.every,
            cron=one.cron,
            due_at=None,
            since=one.at or now,
        )

    def _home(self) -> tuple[Address, str]:
        """A chat of the owner's."""
        for (kind, identity), person in self._made.identities.items():
            if person == self._made.owner and kind != "email":
                return Address(kind, identity), person
        return _TERMINAL, self._made.owner

    def _place(self, channel: str, chat: str) -> tuple[Address, str] | None:
        """The address, and whose private chat it is ("": a group)."""
        if channel == "cli":
            return (
                _TERMINAL if chat in {"direct", "default"} else Address("terminal", chat)
            ), self._made.owner
        if channel == "telegram" and (topic := _TOPIC.fullmatch(chat)) and chat.startswith("-"):
            return Address(channel, topic["chat"], topic["thread"] or ""), ""
        identity = self._identity(channel, chat)
        person = self._made.identities.get((channel, identity)) if identity else None
        return (Address(channel, identity), person) if person else None

    def _identity(self, channel: str, chat: str) -> str:
        declared = spec(channel)
        if declared is None or declared.person is None:
            return ""
        try:
            return declared.person.normalise(
                re.sub(r"@(s\.whatsapp\.net|c\.us)$", "", chat.partition("|")[0])
            )
        except ValueError:
            return ""
