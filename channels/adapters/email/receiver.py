"""Reads the mailbox: what is new since the cursor, in order, judged, handed over, and only then marked as read."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from channels.adapters.email import authenticity, guard, mail, threads
from channels.adapters.email.headers import read_headers
from channels.adapters.email.imap import Denied, Known, Lost, Mailbox
from channels.adapters.email.mail import BadMail, Limits, Mail
from channels.adapters.email.notes import Cursor, Notes, Thread
from channels.adapters.email.settings import EmailSettings
from channels.base import Host
from channels.types import Address, DeliveryReport, Inbound, Report, Sender, Take

log = logging.getLogger(__name__)

RENEW_SECONDS = 240.0
"""How long one IDLE lasts: servers and routers forget about longer silences, and a link that died unheard is noticed
by its end (RFC 2177 asks for less than 29 minutes).
"""
_BATCH = 20
_RESYNC = 500
"""Most mails that are looked at again after the server has numbered its mails anew."""
_LEARN_FROM = 20
_WAITS = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
UNKNOWN_STAMP = (
    "it isn't known with which name your mail server stamps what it checked, so that no mail can prove its sender; "
    "look for Authentication-Results in any mail and set `authserv_id` in [channels.email]"
)


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

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each reason for which mails were kept aside since the start."""
        return tuple(
            f"{count} {'mail' if count == 1 else 'mails'} kept aside: {why}"
            for why, count in self.aside.most_common()
        )


@dataclass(frozen=True, slots=True)
class _Handed:
    """What one mail came to: a message, reports on our own mails, or why it is kept aside."""

    inbound: Inbound | None = None
    thread: Thread | None = None
    reports: tuple[DeliveryReport, ...] = ()
    aside: str = ""


class Receiver:
    def __init__(self, settings: EmailSettings, host: Host, notes: Notes, pace: Pace) -> None:
        self.standing = Standing()
        self._settings = settings
        self._host = host
        self._notes = notes
        self._pace = pace
        self._limits = Limits(mail=settings.max_mail * 2**20)
        self._answered: dict[str, deque[float]] = {}
        self._stamped_by = ""

    async def run(self, take: Take, report: Report, context: ssl.SSLContext) -> None:
        """Read for ever; whatever breaks is connected anew."""
        failures = 0
        while True:
            began = self._pace.monotonic()
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
            if self._pace.monotonic() - began > _WAITS[-1]:
                failures = 0
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
        self.standing.up = True
        self.standing.detail = "" if self._stamped_by else UNKNOWN_STAMP
        self.standing.beat = self._pace.monotonic()

    async def _learn(self, mailbox: Mailbox) -> None:
        """Find out the name of the owner's server's stamp, unless it is known."""
        self._stamped_by = self._settings.authserv_id or await self._notes.authserv_id()
        if self._stamped_by:
            return
        newest = (await mailbox.after(0))[-_LEARN_FROM:]
        heads = [read_headers(await mailbox.raw(uid, head_only=True)) for uid in newest]
        learned = authenticity.learn(head for head in heads if head.one("Authentication-Results"))
        if learned is not None and learned.sure:
            self._stamped_by = learned.authserv_id
            await self._notes.learned(learned.authserv_id)
            log.info("email: the server stamps what it checked as %s", learned.authserv_id)

    async def _begin(self, mailbox: Mailbox, take: Take, report: Report) -> Cursor:
        """Where to go on. The first start begins at the end; a folder that is numbered anew is looked through again for
        what is not known yet, which the gate tells by the Message-IDs.
        """
        known = await self._notes.cursor()
        if known is None:
            # Whole seconds, as the mailbox's own times are.
            cursor = Cursor(mailbox.validity, mailbox.following - 1, float(int(self._pace.now())))
            await self._notes.read_up_to(cursor)
            return cursor
        if known.validity == mailbox.validity:
            return known
        log.warning("email: the server has numbered its mails anew; looking for what is not known yet")
        since = datetime.fromtimestamp(known.since, UTC)
        uids = (await mailbox.since(since))[-_RESYNC:]
        found = [one for one in await mailbox.facts(uids) if one.at.timestamp() >= known.since]
        await self._read(mailbox, found, take, report)
        cursor = Cursor(mailbox.validity, max([mailbox.following - 1, *uids]), known.since)
        await self._notes.read_up_to(cursor)
        return cursor

    async def _catch_up(self, mailbox: Mailbox, cursor: Cursor, take: Take, report: Report) -> Cursor:
        """Read what is new, some at a time."""
        new = await mailbox.after(cursor.uid)
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            await self._read(mailbox, await mailbox.facts(batch), take, report)
            cursor = replace(cursor, uid=batch[-1])
            await self._notes.read_up_to(cursor)
            self.standing.beat = self._pace.monotonic()
        return cursor

    async def _read(self, mailbox: Mailbox, known: Sequence[Known], take: Take, report: Report) -> None:
        """Hand mails over; those that were taken are marked as read once they are stored."""
        messages: list[Inbound] = []
        read: list[int] = []
        for one in known:
            handed = await self._handed(mailbox, one)
            for news in handed.reports:
                await report(news)
            if handed.aside:
                self.standing.aside[handed.aside] += 1
                log.info("email: a mail is kept aside: %s", handed.aside)
                continue
            if handed.inbound is not None and handed.thread is not None:
                await self._notes.keep_thread(handed.inbound.address.thread, handed.thread)
                messages.append(handed.inbound)
            read.append(one.uid)
        if messages:
            await take(messages)
            self.standing.received_at = self._pace.now()
        await mailbox.mark_seen(read)

    async def _handed(self, mailbox: Mailbox, known: Known) -> _Handed:
        too_large = known.size > self._limits.mail
        raw = await mailbox.raw(known.uid, head_only=too_large)
        if not raw:
            return _Handed(aside="it was gone before it could be read")
        secret = await self._notes.secret()
        failures = await asyncio.to_thread(guard.bounces, raw)
        ours = [one for one in failures if threads.read_own_id(one.message_id, secret) is not None]
        if ours:
            reports = (
                DeliveryReport(one.message_id, delivered=False, detail=f"{one.recipient}: {one.detail}")
                for one in ours
                if one.permanent
            )
            return _Handed(reports=tuple(reports))
        try:
            found = await asyncio.to_thread(mail.read, raw, self._limits)
        except BadMail as error:
            return _Handed(aside=str(error))
        if why := self._refused(found):
            return _Handed(aside=why)
        return _Handed(self._inbound(found, known, secret, too_large=too_large), Thread.of(found))

    def _refused(self, found: Mail) -> str:
        """Why a mail is not for an answer; "" for one that is."""
        if why := guard.automatic(found, (self._settings.address,)):
            return why
        verdict = authenticity.verdict(found.headers, found.sender, self._stamped_by)
        if not verdict.authentic:
            return f"its sender is not proved: {verdict.reason}"
        now = self._pace.now()
        times = self._answered.setdefault(found.sender, deque(maxlen=self._settings.per_hour))
        if guard.too_often(times, now, guard.Rate(self._settings.per_hour)):
            return f"{found.sender} wrote more than {self._settings.per_hour} mails within an hour"
        times.append(now)
        return ""

    def _inbound(self, found: Mail, known: Known, secret: bytes, *, too_large: bool) -> Inbound:
        thread = threads.thread_of(found.message_id, found.in_reply_to, found.references, secret)
        notes = [*found.more]
        if too_large:
            notes.append(f"The mail has {known.size / 1e6:.0f} MB; only its head was read.")
        return Inbound(
            key=found.message_id,
            address=Address("email", found.sender, thread),
            sender=Sender(found.sender, found.sender_name),
            text=_text(found, notes),
            at=known.at,
            ref=found.message_id,
            attachments=found.attachments,
            quotes=found.quotes,
        )


def _text(found: Mail, notes: Sequence[str]) -> str:
    """The sender's own words: with the subject where the mail begins a thread and is no command."""
    body = found.text.strip()
    if body.startswith("/"):
        return body
    subject = found.subject.strip() if found.begins else ""
    return "\n\n".join(part for part in (subject, body, *(f"[{note}]" for note in notes)) if part)
