"""The channel at a real mailbox: how soon a mail is there, and everything that happens to connections and mailboxes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.app import App
from channels.adapters.email.channel import EmailChannel
from channels.adapters.email.receiver import Pace
from channels.adapters.email.settings import EmailSettings
from channels.testing import host, unreported
from channels.types import Inbound
from tests.contract.drivers.channel_email import ANN
from tests.fakes.certificates import issue
from tests.fakes.llm import Reply
from tests.fakes.proxy import BlackHole, CutAfter, Drop, Forward
from tests.journey.conversation import running
from tests.real_mail.house import FULL, House, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@asynccontextmanager
async def bot(home: House) -> AsyncIterator[App]:
    """A running bot that reads its mailbox."""
    async with running(home.folder, home.config()) as app:
        await until(lambda: app.channels["email"].status.up)
        yield app


async def test_a_mail_is_in_the_inbox_within_a_second_and_a_half(home: House) -> None:
    took = []
    async with bot(home):
        for number in range(10):
            await home.deliver(f"number {number}", number)
            took.append(await until(lambda: len(home.taken()) == number + 1))  # noqa: B023 -- called at once
        await until(lambda: len(home.smtp.taken) == 10)
    print("seconds from delivery to inbox:", " ".join(f"{seconds:.2f}" for seconds in sorted(took)))
    assert max(took) < 1.5


async def test_an_answer_arrives_in_its_thread(home: House) -> None:
    async with bot(home):
        asked = await home.deliver("Is it there?", 1)
        await until(lambda: home.smtp.taken)
    (taken,) = home.smtp.taken
    assert taken.to == [ANN]
    assert (taken.message["In-Reply-To"], taken.message["References"]) == (asked, asked)
    assert taken.message["Subject"] == "Re: Question 1"


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_connection_that_is_cut_is_made_anew(home: House, how: str) -> None:
    async with bot(home):
        for number in range(3):
            home.imap_proxy.cut("reset" if how == "reset" else "close")
            await home.deliver(f"number {number}", number)
            await until(lambda: len(home.taken()) == number + 1)  # noqa: B023 -- called at once
        await until(lambda: len(home.smtp.taken) == 3)
    assert home.taken() == [f"Question {number}\n\nnumber {number}" for number in range(3)]


async def test_a_connection_that_breaks_in_the_middle_of_a_mail_brings_it_whole(home: House) -> None:
    text = "a long line of text\n" * 4000
    async with bot(home) as app:
        home.imap_proxy.mode = CutAfter(40_000, how="reset")
        await home.deliver(text, 1)
        await until(lambda: not app.channels["email"].status.up)
        home.imap_proxy.mode = Forward()
        await until(home.taken)
    (taken,) = home.taken()
    assert taken.count("a long line of text") == 4000


async def test_the_servers_restart_is_got_over(home: House) -> None:
    async with bot(home) as app:
        await home.dovecot.restart()
        await home.deliver("after the restart", 1)
        await until(home.taken, 40)
        await until(lambda: app.channels["email"].status.up)
        await home.dovecot.stop()
        await until(lambda: not app.channels["email"].status.up, 40)
        await home.dovecot.start()
        await home.deliver("after the night", 2)
        await until(lambda: len(home.taken()) == 2, 40)


async def test_a_mailbox_numbered_anew_is_answered_once(home: House) -> None:
    async with bot(home):
        for number in range(3):
            await home.deliver(f"number {number}", number)
        await until(lambda: sent(home) == 3)
        before = validity(home)
        await home.dovecot.renumber("bot")
        await home.deliver("new", 3)
        await until(lambda: sent(home) == 4, 40)
        await asyncio.sleep(1.0)
    assert validity(home) != before
    assert len(home.taken()) == 4
    assert len({one.message["In-Reply-To"] for one in home.smtp.taken}) == len(home.smtp.taken) == 4


def sent(home: House) -> int:
    return len(home.query("SELECT 1 FROM outbox WHERE state = 'sent'"))


def validity(home: House) -> int:
    (row,) = home.query(
        "SELECT json_extract(value, '$.validity') AS it FROM channel_state WHERE key = 'cursor'"
    )
    return int(row["it"])


async def test_a_full_mailbox_refuses_the_answer_and_the_owner_sees_it(home: House) -> None:
    async with bot(home) as app:
        home.llm.default = Reply("word " * 2000)
        await home.deliver("tell me all", 1, FULL)
        await until(lambda: home.query("SELECT 1 FROM outbox WHERE state = 'refused'"))
        report = await app.status.report()
    (row,) = home.query("SELECT error FROM outbox")
    assert "552 5.2.2" in row["error"]
    assert report["outbox"] == {"refused": 1}


async def test_a_server_with_another_certificate_gets_no_password(home: House) -> None:
    other = home.folder / "other"
    other.mkdir()
    home.settings["ca_file"] = str(issue(other).authority)
    async with running(home.folder, home.config()) as app:
        email = app.channels["email"]
        await until(lambda: "certificate" in email.status.detail)
        assert not email.status.up
        assert "`ca_file`" in email.status.detail
    assert home.smtp.logins == 0
    assert "Login" not in (home.dovecot.folder / "dovecot.log").read_text()


async def test_a_wrong_password_is_named(home: House) -> None:
    home.settings["password"] = "wrong"
    async with running(home.folder, home.config()) as app:
        email = app.channels["email"]
        await until(lambda: "refuses to log bot in" in email.status.detail)
        assert not email.status.up
        assert "app password" in email.status.detail


async def test_answers_wait_while_the_server_that_takes_mail_is_away(home: House) -> None:
    async with bot(home):
        home.smtp_proxy.mode = Drop("reset")
        asked = await home.deliver("anybody?", 1)
        await until(lambda: home.query("SELECT 1 FROM outbox WHERE error != ''"))
        home.smtp_proxy.mode = Forward()
        await until(lambda: home.smtp.taken)
        await until(lambda: home.query("SELECT 1 FROM outbox WHERE state = 'sent'"))
    assert [one.message["In-Reply-To"] for one in home.smtp.taken] == [asked]
    assert "maybe sent twice" not in home.smtp.taken[0].text


async def test_an_answer_whose_fate_is_unknown_is_repeated_with_the_same_id(home: House) -> None:
    async with bot(home):
        home.smtp.refuse("drop")
        await home.deliver("once?", 1)
        await until(lambda: len(home.smtp.taken) == 2)
        await until(lambda: home.query("SELECT 1 FROM outbox WHERE state = 'sent'"))
    first, second = (one.message for one in home.smtp.taken)
    assert first["Message-ID"] == second["Message-ID"]


async def test_a_link_that_died_unheard_is_noticed_when_idle_is_renewed(home: House) -> None:
    """With IDLE renewed each second; the server is then given thirty seconds to say so."""
    taken: list[Inbound] = []

    async def take(batch: object) -> None:
        assert isinstance(batch, list)
        taken.extend(batch)

    channel = EmailChannel(EmailSettings.model_validate(home.section()), host(), pace=Pace(renew=1.0))
    task = asyncio.create_task(channel.run(take, unreported))
    try:
        await until(lambda: channel.status.up)
        home.imap_proxy.mode = BlackHole()
        await home.deliver("nobody hears this", 1)
        noticed = await until(lambda: not channel.status.up, 60)
        home.imap_proxy.mode = Forward()
        home.imap_proxy.cut()
        await until(lambda: taken, 40)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    print(f"noticed after {noticed:.1f} s")
    assert noticed < 40
    assert [one.key for one in taken] == ["<m1@example.org>"]
