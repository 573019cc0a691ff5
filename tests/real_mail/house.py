"""A home with real mail: Dovecot, a server that takes mail, a model's server, and a bot's configuration for them.

Between the bot and each of the two mail servers is a proxy that misbehaves when told. Dovecot stands for the whole of
the owner's mail server: what is delivered to it carries the stamp of what such a server checked.
"""

from __future__ import annotations

import asyncio
import smtplib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.drivers.channel_email import ANN, STAMP, mail
from tests.fakes.dovecot import DOMAIN, Dovecot, dovecot_folder
from tests.fakes.llm import LLMFake
from tests.fakes.proxy import FaultProxy
from tests.fakes.submission import Submission
from tests.journey.conversation import provider, trusted

FULL = "full@example.org"


@dataclass
class House:
    dovecot: Dovecot
    smtp: Submission
    imap_proxy: FaultProxy
    smtp_proxy: FaultProxy
    llm: LLMFake
    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
    """Of `[channels.email]`, beside those that follow from the servers."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def section(self) -> dict[str, object]:
        given: dict[str, object] = {
            "address": f"bot@{DOMAIN}",
            "password": "sesame",
            "imap_host": "127.0.0.1",
            "imap_port": self.imap_proxy.port,
            "smtp_host": "127.0.0.1",
            "smtp_port": self.smtp_proxy.port,
            "authserv_id": STAMP,
            "ca_file": str(self.dovecot.certificates.authority),
            "per_hour": 1000,
        }
        return {name: value for name, value in {**given, "username": "bot", **self.settings}.items() if value}

    def config(self) -> str:
        section = (f"{name} = {value!r}".replace("'", '"') for name, value in self.section().items())
        people = f'[people.ann]\nrole = "owner"\nemail = "{ANN}"\n[people.full]\nemail = "{FULL}"\n'
        return "\n".join(
            (
                provider("one", self.llm.base_url),
                trusted("one"),
                "[channels.email]",
                *section,
                people,
            )
        )

    async def deliver(self, text: str, number: int, sender: str = ANN, **headers: str) -> str:
        """Put a mail that begins a thread, unless a header says otherwise, into the bot's mailbox; its Message-ID."""
        given = {"From": sender, "References": "", "Subject": f"Question {number}", **headers}
        await self.dovecot.deliver("bot", mail(text, number, **given), sender)
        return f"<m{number}@example.org>"

    def query(self, sql: str) -> list[dict[str, Any]]:
        """What the bot's database holds; nothing as long as it has not been made, or not wholly."""
        file = self.data / "nanobot.db"
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in database.execute(sql)]
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def taken(self) -> list[str]:
        return [row["text"] for row in self.query("SELECT text FROM inbox ORDER BY id")]

    def answers(self) -> list[str]:
        return [one.text.strip() for one in self.smtp.taken]


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    with dovecot_folder() as place:
        dovecot = Dovecot(place)

        async def relay(sender: str, to: list[str], raw: bytes) -> str:
            try:
                await dovecot.deliver(to[0].partition("@")[0], raw, sender)
            except smtplib.SMTPRecipientsRefused as error:
                code, words = next(iter(error.recipients.values()))
                return f"{code} {words.decode().splitlines()[0]}"
            except smtplib.SMTPResponseException as error:
                words = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
                return f"{error.smtp_code} {words.decode().splitlines()[0]}"
            return "250 2.0.0 taken"

        async with (
            dovecot,
            Submission(dovecot.certificates, relay=relay) as smtp,
            FaultProxy(dovecot.imap_port) as imap_proxy,
            FaultProxy(smtp.port) as smtp_proxy,
            LLMFake() as llm,
        ):
            yield House(dovecot, smtp, imap_proxy, smtp_proxy, llm, folder)


async def until(predicate: Callable[[], object], seconds: float = 20.0) -> float:
    """Wait until this is true; returns how many seconds it took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not predicate():
            await asyncio.sleep(0.01)
    return time.monotonic() - began
