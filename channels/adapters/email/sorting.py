"""What becomes of one mail: a message, news of our own mails, or kept aside."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from channels.adapters.email import guard, mail, threads
from channels.adapters.email.imap import Known
from channels.adapters.email.mail import BadMail, Limits, Mail
from channels.adapters.email.notes import Notes, Thread
from channels.adapters.email.proof import Proof
from channels.adapters.email.settings import EmailSettings
from channels.types import Address, DeliveryReport, Inbound, Sender

_CORRESPONDENTS = 1000
"""Of whom it is remembered how often they wrote."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """`aside` says why a mail is kept aside: nothing else is set then. `old`: it is nobody's question any more."""

    inbound: Inbound | None = None
    thread: Thread | None = None
    reports: tuple[DeliveryReport, ...] = ()
    aside: str = ""
    old: bool = False


class Sorter:
    """`cut`, in `sort`, says what of a mail was not fetched ("" for a whole one)."""

    def __init__(self, settings: EmailSettings, notes: Notes, tell: Callable[[str], None]) -> None:
        self.limits = Limits(mail=settings.max_mail * 2**20)
        self.proof = Proof(settings, notes, tell)
        self._settings = settings
        self._notes = notes
        self._wrote: OrderedDict[str, dict[str, float]] = OrderedDict()

    async def sort(self, raw: bytes, known: Known, *, cut: str = "", not_before: float = 0.0) -> Sorted:
        secret = await self._notes.secret()
        failures = await asyncio.to_thread(guard.bounces, raw)
        ours = [one for one in failures if threads.read_own_id(one.message_id, secret) is not None]
        if ours:
            reports = (
                DeliveryReport(one.message_id, delivered=False, detail=f"{one.recipient}: {one.detail}")
                for one in ours
                if one.final
            )
            return Sorted(reports=tuple(reports))
        try:
            found = await asyncio.to_thread(mail.read, raw, self.limits)
        except BadMail as error:
            return Sorted(aside=str(error))
        if found.date is not None and found.date.timestamp() < not_before:
            return Sorted(old=True)
        why = guard.automatic(found, (self._settings.address,)) or await self.proof.lacking(found)
        if why := why or self._too_often(found, known):
            return Sorted(aside=why)
        return Sorted(_inbound(found, known, secret, cut), Thread.of(found))

    def _too_often(self, found: Mail, known: Known) -> str:
        """By the times at which the mails arrived, each counted once however often it is looked at."""
        times = self._wrote.setdefault(found.sender, {})
        self._wrote.move_to_end(found.sender)
        if len(self._wrote) > _CORRESPONDENTS:
            self._wrote.popitem(last=False)
        at = known.at.timestamp()
        if found.message_id in times:
            return ""
        most = self._settings.per_hour
        if guard.too_often(list(times.values()), at, guard.Rate(most)):
            return f"{found.sender} wrote more than {most} mails within an hour"
        times[found.message_id] = at
        while len(times) > most:
            del times[next(iter(times))]
        return ""


def _inbound(found: Mail, known: Known, secret: bytes, cut: str) -> Inbound:
    thread = threads.thread_of(found.message_id, found.in_reply_to, found.references, secret)
    return Inbound(
        key=found.message_id,
        address=Address("email", found.sender, thread),
        sender=Sender(found.sender, found.sender_name),
        text=_text(found, [*found.more, *([cut] if cut else [])]),
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
