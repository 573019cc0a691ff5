"""The channel: receives through `Receiver`, sends one mail for each answer, into its thread."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

from channels.adapters.email import smtp, threads
from channels.adapters.email.compose import Enclosure, Letter, compose, encode
from channels.adapters.email.domains import domain_of, on_the_wire
from channels.adapters.email.notes import Notes, Thread
from channels.adapters.email.receiver import Pace, Receiver
from channels.adapters.email.settings import EmailSettings
from channels.base import Host
from channels.errors import NotSent, Refused, Unknown
from channels.split import split
from channels.types import Address, Attachment, ChannelStatus, Outbound, Receipt, Report, Take

log = logging.getLogger(__name__)

MAIL_LIMIT = 200_000
"""Characters of one mail's text: more is a book, and goes on in a second mail."""
FILE_LIMIT = 20 * 2**20
"""Bytes; in base64 that makes 27 MB, and many servers take 25 to 35."""
_MESSAGE_LIMIT = 30 * 2**20
_PATIENCE = 60.0
_FIRST_SUBJECT = 80
_LOOK_AGAIN = 60.0
_LINES = 3
"""Connections at once: providers refuse those who make many."""


class EmailChannel:
    kind = "email"
    preview_interval = 0.0
    patience = _PATIENCE
    file_limit = FILE_LIMIT

    def __init__(self, settings: EmailSettings, host: Host, *, pace: Pace | None = None) -> None:
        self._settings = settings
        self._host = host
        self._notes = Notes(host.store)
        self._receiver = Receiver(settings, host, self._notes, pace or Pace())
        self._context: ssl.SSLContext | None = None
        self._lines = asyncio.Semaphore(_LINES)
        self._sent_at: float | None = None

    @property
    def status(self) -> ChannelStatus:
        standing = self._receiver.standing
        return ChannelStatus(
            standing.up,
            standing.detail,
            standing.received_at,
            self._sent_at,
            standing.notes,
            standing.beat,
        )

    async def run(self, take: Take, report: Report) -> None:
        while True:
            try:
                context = await self._trust()
            except NotSent as error:
                self._receiver.down(error.detail)
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                await self._receiver.run(take, report, context)

    async def aclose(self) -> None:
        """Nothing is held open between two mails."""

    def split(self, text: str) -> list[str]:
        return split(text, MAIL_LIMIT)

    async def send(self, out: Outbound) -> Receipt:
        letter = await self._letter(out)
        context = await self._trust()
        async with self._lines:
            try:
                client = await smtp.connected(self._settings, context)
            except smtp.LoginRefused as error:
                self._host.tell(error.detail)
                raise
            try:
                most = smtp.room(client, _MESSAGE_LIMIT)
                raw = await asyncio.to_thread(lambda: encode(compose(letter, most)))
                await smtp.send(client, on_the_wire(self._settings.address), on_the_wire(letter.to), raw)
                await smtp.leave(client)
            except Unknown as error:
                # The same Message-ID again: the reader's server or program shows a repeated mail once.
                log.info("email: %s", error.detail)
                raise
            finally:
                client.close()
        self._sent_at = time.time()
        return Receipt(letter.message_id)

    async def _letter(self, out: Outbound) -> Letter:
        secret = await self._notes.secret()
        domain = domain_of(self._settings.address)
        thread = await self._notes.thread(out.address.thread) if out.address.thread else None
        message_id = threads.own_id(_number(out), out.address.thread, domain, secret)
        subject, in_reply_to, references = _heading(out, thread)
        return Letter(
            message_id=message_id,
            sender=self._settings.address,
            sender_name=self._settings.name,
            to=out.address.chat,
            subject=subject,
            markdown=out.text,
            date=datetime.now(UTC),
            in_reply_to=in_reply_to,
            references=references,
            kind="auto-generated" if out.kind == "message" else "auto-replied",
            enclosures=await self._enclosures(out),
        )

    async def _enclosures(self, out: Outbound) -> tuple[Enclosure, ...]:
        if out.file is None:
            return ()
        try:
            content = await asyncio.to_thread(out.file.path.read_bytes)
        except OSError as error:
            raise Refused(f"the file {out.file.name} is gone: {error.strerror}") from None
        return (Enclosure(out.file.name, out.file.mime, content),)

    async def preview(self, _address: Address, _text: str, _ref: str, _reply_to: str = "") -> str:
        return ""

    async def working(self, _address: Address) -> None:
        """Nobody looks at a mail that is being written."""

    async def acknowledge(self, _address: Address, _ref: str) -> None:
        """As above: `patience` has it told."""

    async def fetch(self, attachment: Attachment, to: Path, most: int) -> None:
        """Files come with their mail, so that there is nothing to fetch."""
        if not attachment.content or len(attachment.content) > most:
            raise Refused("the file was left out of the mail")
        await asyncio.to_thread(to.write_bytes, attachment.content)

    async def _trust(self) -> ssl.SSLContext:
        """The certificates to trust: this machine's, and an authority of one's own."""
        if self._context is None:
            try:
                self._context = await asyncio.to_thread(trusting, self._settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise NotSent(f"`ca_file` of [channels.email] can't be read: {error}") from None
        return self._context


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Raises OSError."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def _number(out: Outbound) -> int:
    """The row's, and digits of its last line, which stays the same when a mark is put above: where a backup was put
    back, numbers come again, and a reader's server drops a mail whose Message-ID it has seen.
    """
    last = f"{out.address.chat} {out.text.rpartition(chr(10))[2]}"
    return out.id * 10**6 + zlib.crc32(last.encode("utf-8", "replace")) % 10**6


def _heading(out: Outbound, thread: Thread | None) -> tuple[str, str, tuple[str, ...]]:
    """Subject, In-Reply-To and References."""
    if thread is None and not out.reply_to:
        first = next((line.strip("# *_`") for line in out.text.splitlines() if line.strip()), "")
        return (first[:_FIRST_SUBJECT] or "A message from your assistant"), "", ()
    # Of a thread that is no longer remembered only the mail that this answers is known.
    newest = thread or Thread("", out.reply_to)
    answered = out.reply_to or newest.message_id
    return (
        threads.reply_subject(newest.subject),
        answered,
        threads.reply_references(answered, newest.in_reply_to, newest.references),
    )
