"""A person with a mail program, by way of a mailbox and a mail server in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage

from channels.adapters.email.channel import EmailChannel
from channels.adapters.email.receiver import Pace
from channels.adapters.email.settings import EmailSettings
from channels.adapters.email.threads import key_of
from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.testing import host
from channels.types import Address
from tests.contract.counterpart import Counterpart
from tests.fakes.imap import ImapFake
from tests.fakes.submission import Submission

STAMP = "mail.home.example"
ANN = "ann@example.org"
ROOT = "<root@example.org>"


def settings(imap: ImapFake, smtp: Submission, **more: object) -> EmailSettings:
    given = {
        "address": "bot@home.example",
        "username": "bot",
        "password": "sesame",
        "imap_host": "127.0.0.1",
        "imap_port": imap.port,
        "imap_security": "none",
        "smtp_host": "127.0.0.1",
        "smtp_port": smtp.port,
        "smtp_security": "none",
        "authserv_id": STAMP,
    }
    return EmailSettings.model_validate({**given, **more})


def mail(text: str, number: int, **headers: str) -> bytes:
    """A mail as the owner's server delivers it, in the thread of `ROOT` unless a header says otherwise."""
    message = EmailMessage()
    message["Authentication-Results"] = f"{STAMP}; dkim=pass header.d=example.org"
    message["Received"] = f"from mx.example.org by {STAMP}; {datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}"
    given = {
        "From": f"Ann <{ANN}>",
        "To": "bot@home.example",
        "Subject": "Re: a thread",
        "Message-ID": f"<m{number}@example.org>",
        "Date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}",
        "References": ROOT,
    }
    for name, value in {**given, **headers}.items():
        if value:
            message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


class Email:
    redelivers = True

    def __init__(self, imap: ImapFake, smtp: Submission, channel: EmailChannel) -> None:
        self.channel = channel
        self.address = Address("email", ANN, key_of(ROOT))
        self._imap = imap
        self._smtp = smtp

    async def say(self, text: str) -> None:
        # Before its first look at the mailbox everything in it is old mail.
        await self.until(lambda: self.channel.status.up)
        self._imap.deliver(mail(text, len(self._imap.mails)))

    def confirmed(self) -> int:
        return self._imap.seen()

    def shown(self) -> list[str]:
        return [taken.text.strip() for taken in self._smtp.taken]

    async def until(self, predicate: Callable[[], object]) -> None:
        async with asyncio.timeout(20.0):
            while not predicate():
                await asyncio.sleep(0.005)

    def failures(self) -> dict[str, type[DeliveryError]]:
        return {"busy": NotSent, "lost answer": Unknown, "no such user": Refused}

    async def fail(self, name: str) -> None:
        if name == "busy":
            self._smtp.refuse("451 4.3.0 come back later")
        elif name == "lost answer":
            self._smtp.refuse("drop")
        else:
            self._smtp.refuse("550 5.1.1 no such user", at="RCPT")

    def distract(self) -> None:
        """There is no sign of typing."""


@asynccontextmanager
async def connected() -> AsyncIterator[Counterpart]:
    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0.005)

    async with ImapFake() as imap, Submission() as smtp:
        channel = EmailChannel(settings(imap, smtp), host(), pace=Pace(sleep=at_once))
        try:
            yield Email(imap, smtp, channel)
        finally:
            await channel.aclose()
