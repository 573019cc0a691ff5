"""People on several channels who write numbered messages, and what they see of the answers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from bot.agent.preview import UNFINISHED
from tests.contract.drivers.channel_email import STAMP, mail
from tests.fakes.imap import ImapFake
from tests.fakes.submission import Submission
from tests.fakes.telegram import TelegramFake
from tests.fakes.whatsapp_cloud import WhatsAppFake
from tests.soak.brain import NUMBER

MARK = "🔁"
_MOST_TROUBLES = 4
"""On one channel that were not met yet."""
CHATS = 40


class People(Protocol):
    """Those on one channel."""

    kind: str

    def config(self) -> str: ...

    def persons(self) -> str:
        """The keys of `[people.NAME]` for everybody."""
        ...

    def say(self, number: str) -> None: ...

    def trouble(self) -> None:
        """Let something go wrong next, at random."""
        ...

    def seen(self) -> Iterator[tuple[str, str]]:
        """Every message of the bot as it is seen now: (its id, its text)."""
        ...


class OnTelegram:
    kind = "telegram"

    def __init__(self, tg: TelegramFake, chance: random.Random) -> None:
        self._tg = tg
        self._chance = chance
        for user in range(1, CHATS + 1):
            tg.add_chat(user)

    def config(self) -> str:
        return f'[channels.telegram]\ntoken = "{self._tg.token}"\nbase_url = "{self._tg.base_url}"\n'

    def persons(self) -> str:
        return f"telegram = {list(range(1, CHATS + 1))}\n"

    def say(self, number: str) -> None:
        self._tg.user_says(self._chance.randint(1, CHATS), f"question #{number}")

    def trouble(self) -> None:
        faults = self._tg.faults
        method = self._chance.choices(("sendMessage", "editMessageText", "getUpdates"), (10, 4, 1))[0]
        unmet = sum(fault.method == method and not fault.hits for fault in faults)
        # Polling backs off for longer than sending does.
        if unmet >= (1 if method == "getUpdates" else _MOST_TROUBLES):
            return
        kind = self._chance.randrange(5)
        if kind == 0:
            faults.error(method, 429, retry_after=1)
        elif kind == 1:
            faults.html(method)
        elif kind == 2:
            faults.drop(method)
        elif kind == 3:
            faults.drop(method, "after")
        else:
            faults.truncate(method)

    def seen(self) -> Iterator[tuple[str, str]]:
        for user in range(1, CHATS + 1):
            for message in self._tg.answers(user):
                yield f"{user}:{message.message_id}", message.text


class ByMail:
    kind = "email"

    def __init__(self, imap: ImapFake, smtp: Submission, chance: random.Random) -> None:
        self._imap = imap
        self._smtp = smtp
        self._chance = chance

    def config(self) -> str:
        return (
            '[channels.email]\naddress = "bot@home.example"\nusername = "bot"\npassword = "sesame"\n'
            f'imap_host = "127.0.0.1"\nimap_port = {self._imap.port}\nimap_security = "none"\n'
            f'smtp_host = "127.0.0.1"\nsmtp_port = {self._smtp.port}\nsmtp_security = "none"\n'
            f'authserv_id = "{STAMP}"\nper_hour = 100000\n'
        )

    def persons(self) -> str:
        return 'email = "ann@example.org"\n'

    def say(self, number: str) -> None:
        thread = self._chance.randint(1, CHATS)
        raw = mail(f"question #{number}", int(number), References=f"<t{thread}@example.org>")
        self._imap.deliver(raw)

    def trouble(self) -> None:
        kind = self._chance.randrange(4)
        if kind == 0:
            self._imap.cut()
        elif kind == 1:
            self._smtp.refuse("451 4.3.0 come back later")
        elif kind == 2:
            self._smtp.refuse("drop")
        else:
            self._smtp.refuse("450 4.2.0 greylisted", at="RCPT")

    def seen(self) -> Iterator[tuple[str, str]]:
        # The same Message-ID again is the same mail: servers and programs show it once.
        shown = {taken.message["Message-ID"]: taken.text for taken in self._smtp.taken}
        yield from shown.items()


class OnWhatsApp:
    kind = "whatsapp"

    def __init__(self, wa: WhatsAppFake, port: int, chance: random.Random) -> None:
        self._wa = wa
        self._port = port
        self._chance = chance
        self._numbers = [f"1650555{number:04d}" for number in range(CHATS)]
        wa.hook = f"http://127.0.0.1:{port}/whatsapp"

    def config(self) -> str:
        given = self._wa.settings(webhook_listen=f"127.0.0.1:{self._port}")
        return "[channels.whatsapp]\n" + "".join(f'{key} = "{value}"\n' for key, value in given.items())

    def persons(self) -> str:
        return f"whatsapp = {self._numbers!r}\n".replace("'", '"')

    def say(self, number: str) -> None:
        self._wa.says(self._chance.choice(self._numbers), f"question #{number}")

    def trouble(self) -> None:
        if self._wa.troubles >= _MOST_TROUBLES:
            return
        kind = self._chance.randrange(4)
        if kind == 0:
            self._wa.fails(130429)
        elif kind == 1:
            self._wa.fails(131016)
        else:
            self._wa.drops(done=kind == 2)

    def seen(self) -> Iterator[tuple[str, str]]:
        for shown in self._wa.sent:
            yield shown.ref, shown.text


def tally(people: list[People]) -> tuple[Counter[str], Counter[str]]:
    """(how often each number was answered, how often with a mark that it may be a repeat)."""
    plain: Counter[str] = Counter()
    marked: Counter[str] = Counter()
    for each in people:
        for _, text in each.seen():
            if text.endswith(UNFINISHED):
                continue  # A preview that a kill left behind, which shows that it is none of the answers.
            for number in set(NUMBER.findall(text)):
                (marked if MARK in text else plain)[number] += 1
    return plain, marked
