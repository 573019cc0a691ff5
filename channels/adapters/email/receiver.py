"""Reads the mailbox: what is new since the cursor, in order, judged, handed over, and only then marked as read."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from channels.adapters.email.charsets import printable
from channels.adapters.email.headers import read_headers
from channels.adapters.email.imap import Denied, Known, Lost, Mailbox
from channels.adapters.email.notes import Cursor, Notes
from channels.adapters.email.settings import EmailSettings
from channels.adapters.email.sorting import Sorted, Sorter
from channels.base import Host
from channels.types import Inbound, Report, Take

log = logging.getLogger(__name__)

RENEW_SECONDS = 240.0
"""How long one IDLE lasts: servers and routers forget about longer silences, and a link that died unheard is noticed
by its end (RFC 2177 asks for less than 29 minutes).
"""
_BATCH = 20
_HEAD = 100_000
"""Bytes that the head of a mail is counted with."""
_RESYNC = 500
"""Most mails that are looked at again after the server has numbered its mails anew."""
_OVERLAP_SECONDS = 2 * 86_400.0
"""How much older than the last look at the mailbox those may be."""
_NOTED_SECONDS = 3600.0
"""How often it is noted that the mailbox was looked at, where nothing comes."""
_LEARN_FROM = 20
_LEARN_WITHIN = 1000
_WHOLE_TRIES, _TRIES = 4, 7
"""After so many connections lost over one mail only its head is asked for, and then it is left alone."""
_REFUSALS = 8
"""After the same mails could not be stored so often they are offered one by one: it may be the fault of one."""
_REASONS = 20
_OTHER = "for other reasons"
_WAITS = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_HELD_SECONDS = 10.0
"""A connection that was good for so long speaks for the server, however often it breaks: some are cut each minute."""
_LET_IN = 4
"""Where among the waits it ends with a server that lets us read everything, if only for a moment."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`renew` is in seconds; `sleep` and `monotonic` are the clock."""

    renew: float = RENEW_SECONDS
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time


@dataclass(slots=True)
class Standing:
    """How it stands with the mailbox, for the status; `beat` in monotonic seconds, `received_at` in epoch seconds."""

    up: bool = False
    detail: str = "connecting"
    received_at: float | None = None
    beat: float | None = None
    aside: Counter[str] = field(default_factory=Counter)

    def keep_aside(self, why: str) -> None:
        """Count a mail; of too many reasons the rarer ones, which senders make up, are not told apart."""
        why = " ".join(printable(why).split())[:150]
        self.aside[why if why in self.aside or len(self.aside) < _REASONS else _OTHER] += 1
        log.info("email: a mail is kept aside: %s", why)

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each reason for which mails were kept aside since the start."""
        return tuple(
            f"{count} {'mail' if count == 1 else 'mails'} kept aside: {why}"
            for why, count in self.aside.most_common()
        )


class Receiver:
    def __init__(self, settings: EmailSettings, host: Host, notes: Notes, pace: Pace) -> None:
        self.standing = Standing()
        self._settings = settings
        self._host = host
        self._notes = notes
        self._pace = pace
        self._sorter = Sorter(settings, notes, host.tell)
        self._good_at = math.inf
        """Since when this connection has read all that was there."""
        self._tries: Counter[int] = Counter()
        self._refusals = 0

    async def run(self, take: Take, report: Report, context: ssl.SSLContext) -> None:
        """Read for ever; whatever breaks is connected anew."""
        failures = 0
        while True:
            self._good_at = math.inf
            try:
                await self._serve(take, report, context)
            except (Lost, Denied) as error:
                self.down(str(error))
                if isinstance(error, Denied):
                    self._host.tell(str(error))
                    failures = len(_WAITS)
            except Exception as error:  # by contract, whatever `take` raises means "not stored"
                self.down(f"mails stay in the mailbox: {error}")
                log.info("email: the fault in full", exc_info=error)
            if (good_for := self._pace.monotonic() - self._good_at) >= 0:
                failures = 0 if good_for >= _HELD_SECONDS else min(failures, _LET_IN)
            await self._pace.sleep(_WAITS[min(failures, len(_WAITS) - 1)])
            failures += 1

    def down(self, detail: str) -> None:
        """Nothing can be read now."""
        if detail != self.standing.detail:
            log.warning("email: %s", detail)
        self.standing.up, self.standing.detail = False, detail
        self.standing.beat = self._pace.monotonic()

    async def _serve(self, take: Take, report: Report, context: ssl.SSLContext) -> None:
        mailbox = await Mailbox.open(self._settings, context)
        try:
            await self._sorter.proof.load()
            await self._learn(mailbox)
            cursor = await self._begin(mailbox, take, report)
            while True:
                cursor = await self._catch_up(mailbox, cursor, take, report)
                self._worked()
                await mailbox.wait(self._pace.renew if mailbox.announces else self._settings.poll)
        finally:
            await mailbox.close()

    def _worked(self) -> None:
        if not self.standing.up:
            log.info("email: reading %s", self._settings.address)
            self._good_at = self._pace.monotonic()
        self.standing.up = True
        self.standing.detail = self._sorter.proof.missing
        self.standing.beat = self._pace.monotonic()

    async def _learn(self, mailbox: Mailbox) -> None:
        """Find out by what senders are proved, unless it is known."""
        if self._sorter.proof.learns:
            newest = (await mailbox.after(max(mailbox.following - _LEARN_WITHIN, 0)))[-_LEARN_FROM:]
            heads = [await mailbox.raw(uid, head_only=True) for uid in newest]
            await self._sorter.proof.learn([read_headers(head) for head in heads if head])

    async def _begin(self, mailbox: Mailbox, take: Take, report: Report) -> Cursor:
        """Where to go on. The first start begins at the end; a folder that is numbered anew is looked through again for
        what is not known yet, which the gate tells by the Message-IDs.
        """
        known = await self._notes.cursor()
        # Whole seconds, as the mailbox's own times are.
        now = float(int(self._pace.now()))
        if known is None:
            return await self._moved(Cursor(mailbox.validity, mailbox.following - 1, now, now))
        if known.validity == mailbox.validity and known.uid < mailbox.following:
            return known
        log.warning("email: the server has numbered its mails anew; looking for what is not known yet")
        # What came long before the last look was read then, and may be forgotten here by now.
        oldest = max(known.since, known.at - _OVERLAP_SECONDS)
        day_before = datetime.fromtimestamp(oldest, UTC) - timedelta(days=1)
        uids = (await mailbox.since(day_before))[-_RESYNC:]
        found = [one for one in await mailbox.facts(uids) if one.at.timestamp() >= oldest]
        for portion in _portions(found, self._sorter.limits.mail):
            await self._read(mailbox, portion, take, report, not_before=oldest)
        return await self._moved(
            Cursor(mailbox.validity, max([mailbox.following - 1, *uids]), known.since, now)
        )

    async def _catch_up(self, mailbox: Mailbox, cursor: Cursor, take: Take, report: Report) -> Cursor:
        """Read what is new, some at a time."""
        new = await mailbox.after(cursor.uid)
        if new and self._sorter.proof.learns:
            await self._learn(mailbox)
            # What was announced meanwhile belongs to this search.
            new = await mailbox.after(cursor.uid)
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            for portion in _portions(await mailbox.facts(batch), self._sorter.limits.mail):
                await self._read(mailbox, portion, take, report)
                cursor = await self._moved(replace(cursor, uid=portion[-1].uid, at=self._pace.now()))
            if cursor.uid < batch[-1]:  # those above are gone
                cursor = await self._moved(replace(cursor, uid=batch[-1]))
        if self._pace.now() - cursor.at > _NOTED_SECONDS:
            cursor = await self._moved(replace(cursor, at=self._pace.now()))
        return cursor

    async def _moved(self, cursor: Cursor) -> Cursor:
        await self._notes.read_up_to(cursor)
        self._tries.clear()
        self._refusals = 0
        self.standing.beat = self._pace.monotonic()
        return cursor

    async def _read(
        self, mailbox: Mailbox, known: Sequence[Known], take: Take, report: Report, *, not_before: float = 0.0
    ) -> None:
        """Hand mails over; those that were taken are marked as read once they are stored."""
        messages: dict[int, Inbound] = {}
        read: list[int] = []
        for one in known:
            self.standing.beat = self._pace.monotonic()
            found = await self._sorted(mailbox, one, not_before)
            for news in found.reports:
                await report(news)
            if found.aside or found.old:
                if found.aside:
                    self.standing.keep_aside(found.aside)
                continue
            if found.inbound is not None and found.thread is not None:
                await self._notes.keep_thread(found.inbound.address.thread, found.thread)
                messages[one.uid] = found.inbound
            read.append(one.uid)
        if messages:
            unstored = await self._store(messages, take)
            read = [uid for uid in read if uid not in unstored]
            self.standing.received_at = self._pace.now()
        await mailbox.mark_seen(read)

    async def _store(self, messages: Mapping[int, Inbound], take: Take) -> Collection[int]:
        """Hand messages over, named by their UIDs; returns which were given up. One that is refused for long while
        others are not is kept aside: it must not hold up all that come after it.
        """
        try:
            await take(list(messages.values()))
        except Exception:
            self._refusals += 1
            if self._refusals <= _REFUSALS or len(messages) == 1:
                raise
        else:
            return ()
        faults: dict[int, Exception] = {}
        for uid, message in messages.items():
            try:
                await take([message])
            except Exception as error:  # noqa: BLE001 -- by contract, whatever it raises means "not stored"
                faults[uid] = error
        if len(faults) == len(messages):
            raise next(iter(faults.values()))
        for uid, fault in faults.items():
            self.standing.keep_aside(f"it could not be stored ({fault})")
            self._host.tell(
                f"A mail of {messages[uid].sender.id} could not be stored ({fault}); it is left in the mailbox."
            )
        return faults.keys()

    async def _sorted(self, mailbox: Mailbox, known: Known, not_before: float) -> Sorted:
        tries = self._tries[known.uid]
        self._tries[known.uid] += 1
        if tries >= _TRIES:
            return Sorted(aside="it could not be read, however often it was tried")
        cut = ""
        if known.size > self._sorter.limits.mail:
            cut = f"The mail has {known.size / 1e6:.0f} MB; only its head was read."
        elif tries >= _WHOLE_TRIES:
            cut = "The mail server did not hand out the whole mail; only its head was read."
        raw = await mailbox.raw(known.uid, head_only=bool(cut))
        if not raw:
            return Sorted(aside="it was gone before it could be read")
        found = await self._sorter.sort(raw, known, cut=cut, not_before=not_before)
        # What fails from here on is not this mail's fault.
        del self._tries[known.uid]
        return found


def _portions(known: Sequence[Known], most: int) -> Iterator[Sequence[Known]]:
    """Mails in order, together of about so many bytes at most: all of a portion are in memory at once."""
    portion: list[Known] = []
    size = 0
    for one in known:
        here = one.size if one.size <= most else _HEAD
        if portion and size + here > most:
            yield portion
            portion, size = [], 0
        portion.append(one)
        size += here
    if portion:
        yield portion
