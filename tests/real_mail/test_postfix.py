"""One round through a real Postfix: an answer that arrives, one that bounces, out-of-office notes; and no loop."""

from __future__ import annotations

import asyncio
import contextlib
import email
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate, make_msgid
from pathlib import Path

import pytest

from bot.app import App
from tests.fakes import dovecot, postfix
from tests.fakes.dovecot import DOMAIN, Dovecot, dovecot_folder
from tests.fakes.llm import LLMFake
from tests.fakes.postfix import STAMP, Postfix
from tests.journey.conversation import provider, running, trusted
from tests.real_mail.house import until

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.timeout(180)]

BOT, ANN, GONE = (f"{name}@{DOMAIN}" for name in ("bot", "ann", "gone"))


@dataclass
class Post:
    app: App
    store: Dovecot
    server: Postfix
    llm: LLMFake

    async def write(self, sender: str, text: str, **headers: str) -> str:
        """A person sends a mail from elsewhere; its Message-ID."""
        message = EmailMessage()
        given = {"From": sender, "To": BOT, "Subject": "A question", "Message-ID": make_msgid(domain=DOMAIN)}
        for name, value in {**given, "Date": formatdate(), **headers}.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        await asyncio.to_thread(self.server.send, sender, BOT, message.as_bytes())
        return str(message["Message-ID"])

    def mailbox(self, user: str) -> list[EmailMessage]:
        """All that lies in a mailbox, in the order of arrival."""
        files: list[Path] = []
        for place in ("new", "cur"):
            with contextlib.suppress(FileNotFoundError):
                files += (self.store.folder / "mail" / user / "Maildir" / place).iterdir()
        found = []
        for file in sorted(files, key=lambda one: one.name):
            message = email.message_from_bytes(file.read_bytes(), policy=default)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found

    def seen(self, user: str) -> int:
        """How many of them are marked as read."""
        files = (self.store.folder / "mail" / user / "Maildir" / "cur").iterdir()
        return sum("S" in file.name.partition(":2,")[2] for file in files)

    async def quiet(self) -> None:
        """Nothing is under way for a second."""
        calm = 0
        async with asyncio.timeout(30):
            while calm < 10:
                busy = self.server.queue() or self.app.outbox.depth()
                calm = 0 if busy else calm + 1
                await asyncio.sleep(0.1)


@asynccontextmanager
async def post(folder: Path, per_hour: int = 20) -> AsyncIterator[Post]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt install dovecot-imapd dovecot-lmtpd)")
    if why := postfix.usable():
        pytest.skip(why)
    with dovecot_folder() as one, dovecot_folder() as two:
        async with Dovecot(one) as store, Postfix(store, two) as server, LLMFake() as llm:
            config = (
                provider("one", llm.base_url)
                + trusted("one")
                + f'[channels.email]\naddress = "{BOT}"\nusername = "bot"\npassword = "sesame"\n'
                + f'imap_host = "127.0.0.1"\nimap_port = {store.imap_port}\n'
                + f'smtp_host = "127.0.0.1"\nsmtp_port = {server.submission}\n'
                + f'ca_file = "{store.certificates.authority}"\nauthserv_id = "{STAMP}"\nper_hour = {per_hour}\n'
                + f'[people.ann]\nrole = "owner"\nemail = "{ANN}"\n[people.gone]\nemail = "{GONE}"\n'
            )
            async with running(folder, config) as app:
                await until(lambda: app.channels["email"].status.up)
                yield Post(app, store, server, llm)


def aside(app: App) -> str:
    return "\n".join(app.channels["email"].status.notes)


async def test_an_answer_arrives_in_its_thread_and_nothing_else_does(tmp_path: Path) -> None:
    async with post(tmp_path) as there:
        asked = await there.write(ANN, "How are you?")
        took = await until(lambda: there.mailbox("ann"))
        await there.quiet()
        (answer,) = there.mailbox("ann")
    print(f"asked and answered within {took:.2f} s")
    assert (answer["In-Reply-To"], answer["References"], answer["Subject"]) == (
        asked,
        asked,
        "Re: A question",
    )
    assert (answer["Return-Path"], answer["Auto-Submitted"]) == (f"<{BOT}>", "auto-replied")
    assert {part.get_content_type() for part in answer.walk()} >= {"text/plain", "text/html"}


async def test_an_answer_that_bounces_is_noted_and_the_report_is_not_answered(tmp_path: Path) -> None:
    async with post(tmp_path) as there:
        await there.write(GONE, "Answer me where nobody is.")
        await until(lambda: there.app.outbox.depth() == 0 and there.mailbox("bot")[1:])
        await until(lambda: there.seen("bot") == 2)
        await there.quiet()
        _question, report = there.mailbox("bot")
        refused = await there.app.status.report()
        log = there.server.log
    assert report.get_content_type() == "multipart/report"
    assert report["Return-Path"] == "<>"
    assert refused["outbox"] == {"refused": 1}
    assert len(there.llm.requests) == 1
    assert log.count(f"to=<{GONE}>") == 1


async def test_a_forged_bounce_of_a_mail_that_was_never_sent_changes_nothing(tmp_path: Path) -> None:
    async with post(tmp_path) as there:
        asked = await there.write(ANN, "How are you?")
        await until(lambda: there.mailbox("ann"))
        there_were = len(there.llm.requests)
        forged = (
            f"From: MAILER-DAEMON@{DOMAIN}\r\nTo: {BOT}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
            f"Final-Recipient: rfc822; {ANN}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
            f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {asked}\r\n\r\n--b--\r\n"
        )
        await asyncio.to_thread(there.server.send, "", BOT, forged.encode())
        await until(lambda: aside(there.app))
        report = await there.app.status.report()
    assert report["outbox"] == {}
    assert len(there.llm.requests) == there_were


VACATIONS = {
    "by the book": {"Auto_Submitted": "auto-replied", "Subject": "Away"},
    "Exchange": {"X_Auto_Response_Suppress": "All", "Subject": "Automatic reply: Re: A question"},
    "an old program": {"Precedence": "bulk", "Subject": "Re: A question"},
    "by its subject only": {"Subject": "Out of Office: Re: A question"},
}


@pytest.mark.parametrize("kind", VACATIONS)
async def test_an_out_of_office_note_is_not_answered(tmp_path: Path, kind: str) -> None:
    async with post(tmp_path) as there:
        await there.write(ANN, "How are you?")
        await until(lambda: there.mailbox("ann"))
        (answer,) = there.mailbox("ann")
        await there.write(
            ANN, "I am away until Monday.", In_Reply_To=str(answer["Message-ID"]), **VACATIONS[kind]
        )
        await until(lambda: aside(there.app))
        await there.quiet()
        assert len(there.mailbox("ann")) == 1
        assert len(there.llm.requests) == 1
        assert there.seen("bot") == 1


async def test_a_program_that_answers_everything_as_if_it_were_a_person_ends_by_itself(
    tmp_path: Path,
) -> None:
    async with post(tmp_path, per_hour=3) as there:
        await there.write(ANN, "Let us begin.")
        answered = 0
        while "more than 3 mails within an hour" not in aside(there.app):
            await asyncio.sleep(0.05)
            for answer in there.mailbox("ann")[answered:]:
                answered += 1
                await there.write(ANN, "Thank you for your mail.", In_Reply_To=str(answer["Message-ID"]))
        await there.quiet()
        assert len(there.mailbox("ann")) == 3
