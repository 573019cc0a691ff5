"""What the doctor wants to know of the mailbox and of the server that takes mail."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator

from channels.adapters.email import smtp
from channels.adapters.email.channel import trusting
from channels.adapters.email.imap import Denied, Lost, Mailbox
from channels.adapters.email.notes import Notes
from channels.adapters.email.proof import unknown
from channels.adapters.email.settings import EmailSettings
from channels.base import Examined, Host
from channels.errors import NotSent


async def examine(settings: EmailSettings, host: Host) -> AsyncGenerator[Examined, None]:
    """Log in at both servers; nothing is read, sent or changed."""
    try:
        context = await asyncio.to_thread(trusting, settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        yield Examined("error", "mail", f"`ca_file` can't be read: {error}", "correct its path")
        return
    try:
        mailbox = await Mailbox.open(settings, context)
    except (Lost, Denied) as error:
        yield Examined("error", "mailbox", str(error), "see the line itself; `nanobot check` shows the file")
    else:
        announces = (
            "" if mailbox.announces else f"; it can't announce mail, so I look every {settings.poll:.0f} s"
        )
        yield Examined("ok", "mailbox", f"{settings.login} at {settings.imap_host}{announces}")
        await mailbox.close()
    try:
        client = await smtp.connected(settings, context)
    except NotSent as error:
        yield Examined("error", "sending mail", error.detail, "see the line itself")
    else:
        client.close()
        yield Examined("ok", "sending mail", f"{settings.login} at {settings.smtp_host}")
    notes = Notes(host.store)
    stamped_by = settings.authserv_id or await notes.authserv_id()
    if stamped_by:
        learned = "" if settings.authserv_id else " (learned from the mailbox)"
        yield Examined("ok", "mail's senders", f"proved by what {stamped_by} stamps{learned}")
    else:
        yield Examined(
            "warning",
            "mail's senders",
            unknown(await notes.supposed_id()),
            "set `authserv_id` in [channels.email]",
        )
