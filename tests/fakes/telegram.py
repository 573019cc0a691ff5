"""A stand-in for Telegram's Bot API server, for tests, crash tests and benchmarks.

    async with TelegramFake() as tg:
        bot = telegram.Bot(tg.token, base_url=tg.base_url, base_file_url=tg.base_file_url)
        tg.user_says(42, "hello")
        ...
        answer = await tg.wait_for_text(42, "Hi")

As its own process: `python -m tests.fakes.telegram --port 0` prints one line of JSON with its addresses; see
`telegram_api/control.py` for its control requests and `telegram_process.py` for a client of them.

It answers as the official server does where its source could be read (tdlib/telegram-bot-api, tdlib/td,
state of mid 2026): texts of errors, order of checks, confirmation of updates, one poller at a time, strict
parsing of HTML and MarkdownV2. Webhooks are delivered to `webhook_target`, as if by a reverse proxy. Not modelled:
the legacy Markdown mode, albums sent by bots, inline mode, payments.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self, TypedDict, TypeVar, Unpack

from .telegram_api.account import AccountMethods
from .telegram_api.control import Control
from .telegram_api.dispatch import Dispatcher, Request
from .telegram_api.faults import FaultScript
from .telegram_api.forms import Upload
from .telegram_api.http11 import Exchange, HttpServer
from .telegram_api.limits import Limits
from .telegram_api.media import MediaMethods
from .telegram_api.messages import MessageMethods
from .telegram_api.people import People, Refusal, Said, SayOptions, Shares, refusal
from .telegram_api.polling import Poller
from .telegram_api.schema import Schema
from .telegram_api.updates import UpdateQueue
from .telegram_api.webhooks import Webhooks
from .telegram_api.world import Action, Chat, ChatMessage, Draft, User, World

TOKEN = "4242:AAFakeTokenForTestsOnly-0123456789abcd"
TYPING_LASTS = 5.0
T = TypeVar("T")


class Options(TypedDict, total=False):
    """Keywords of `TelegramFake`; what is not given is as written here."""

    validate: bool
    """Check every request, and everything emitted, against aiogram's models (default True)."""
    privacy: bool
    """The bot's privacy mode in groups (default True, as for a new bot)."""
    limits: bool
    """Flood control (default False)."""
    slow_repeats: bool
    """getUpdates is slow towards a client in a hurry, as the real one is (default False)."""
    username: str
    """The bot's user name (default "fake_bot")."""
    clock: Callable[[], float]
    """Unix time in seconds (default `time.time`)."""
    limit_clock: Callable[[], float]
    """Monotonic seconds for flood control (default `time.monotonic`)."""


class TelegramFake:
    """The server and everybody who talks to the bot through it.

    Leaving the context fails with AssertionError if there are complaints; a test that provokes them clears
    the list.
    """

    def __init__(self, token: str = TOKEN, port: int = 0, **options: Unpack[Options]) -> None:
        privacy = options.get("privacy", True)
        clock = options.get("clock", time.time)
        bot = User(int(token.partition(":")[0]), "Fake", True, options.get("username", "fake_bot"))
        limits = Limits(options.get("limit_clock", time.monotonic)) if options.get("limits", False) else None
        self.token = token
        self.world = World(bot, clock)
        self.updates = UpdateQueue(clock)
        self.webhooks = Webhooks(self.updates)
        self.account = AccountMethods(self.world, self.updates, self.webhooks, privacy=privacy)
        messages = MessageMethods(self.world, limits)
        media = self.media = MediaMethods(self.world, messages)
        poller = Poller(self.updates, self.account, slow_repeats=options.get("slow_repeats", False))
        handlers = messages.table() | media.table() | self.account.table()
        self._dispatcher = Dispatcher(token, handlers, poller)
        self._dispatcher.on_change = self.webhooks.on_change = self._changed
        self._people = People(self.world, self.updates, self.account, privacy=privacy)
        self._validate = options.get("validate", True)
        self._control = Control(self)
        self._server = HttpServer(self._handle, port)
        self._port = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._albums = 0

    async def __aenter__(self) -> Self:
        if self._validate:
            self._dispatcher.schema = Schema.load()
            self.updates.on_emit = lambda update: self._dispatcher.check_emitted("Update", update)
        self._port = await self._server.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.webhooks.stop()
        await self._dispatcher.stop()
        await self._control.stop()
        await self._server.stop()
        if kind is None and self.complaints:
            raise AssertionError("Bot API stand-in: " + "; ".join(self.complaints))

    @asynccontextmanager
    async def offline(self) -> AsyncIterator[None]:
        """Inside, every connection is cut and new ones are refused; afterwards the same port listens again."""
        await self._server.stop()
        try:
            yield
        finally:
            await self._server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """As python-telegram-bot wants it."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        return f"{self.url}/file/bot"

    def _handle(self, exchange: Exchange) -> None:
        path = exchange.path
        if path.startswith("/control/"):
            self._control.handle(exchange, path.removeprefix("/control/"))
        elif path.startswith("/bot"):
            token, _, method = path.removeprefix("/bot").partition("/")
            self._dispatcher.handle(exchange, token, method)
        else:
            self._download(exchange, path.removeprefix(f"/file/bot{self.token}/"))

    def _download(self, exchange: Exchange, path: str) -> None:
        found = next((f for f in self.world.files.values() if f.path.lstrip("/") == path.lstrip("/")), None)
        if found is None:
            exchange.reply(404, b'{"ok":false,"error_code":404,"description":"Not Found"}')
        else:
            exchange.reply(200, found.data, "application/octet-stream")

    # What tests look at

    @property
    def requests(self) -> list[Request]:
        """Every call in the order of arrival, also those refused (but for a wrong token or method)."""
        return self._dispatcher.requests

    @property
    def complaints(self) -> list[str]:
        """Requests and emitted objects that do not fit the published schema, and crashes of the stand-in."""
        return self._dispatcher.complaints

    @property
    def faults(self) -> FaultScript:
        """Script failures here: `tg.faults.error("sendMessage", 429, retry_after=3)`."""
        return self._dispatcher.faults

    @property
    def actions(self) -> list[Action]:
        return self.world.actions

    @property
    def callback_answers(self) -> dict[str, dict[str, Any] | None]:
        """By the id of the press; None where it was not answered."""
        return self.account.callback_answers

    @property
    def drafts(self) -> list[Draft]:
        return self.world.drafts

    @property
    def pending_updates(self) -> int:
        """How many updates the bot has not confirmed yet."""
        return len(self.updates)

    @property
    def is_polled(self) -> bool:
        """Whether a getUpdates is waiting at this moment."""
        return self.updates.is_polled

    def calls(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]

    def chat(self, chat_id: int, thread_id: int | None = None, *, deleted: bool = False) -> list[ChatMessage]:
        """The messages of a chat or topic, oldest first, as they look now; `deleted` adds those gone."""
        chat = self.world.chats.get(chat_id)
        messages = chat.messages.values() if chat is not None else ()
        return [
            message
            for message in messages
            if (deleted or not message.deleted) and thread_id in {None, message.thread_id}
        ]

    def answers(self, chat_id: int, thread_id: int | None = None) -> list[ChatMessage]:
        """What the bot wrote there."""
        return [message for message in self.chat(chat_id, thread_id) if message.from_bot]

    def is_typing(self, chat_id: int, thread_id: int | None = None) -> bool:
        """Whether people see the bot busy: an action within five seconds, and no message of the bot since."""
        last = next(
            (a for a in reversed(self.actions) if (a.chat_id, a.thread_id) == (chat_id, thread_id)), None
        )
        if last is None or last.action == "cancel" or time.monotonic() - last.at > TYPING_LASTS:
            return False
        return not any(message.at > last.at for message in self.answers(chat_id, thread_id))

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = 5.0) -> T:  # noqa: ASYNC109 - fails with more to read
        """What `predicate()` gives once it is true; asked after every event, a LookupError counts as no.

        Raises TimeoutError after `timeout` seconds, with the last calls in its text.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = predicate()
            except LookupError:
                found = None
            if found:
                return found
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await asyncio.wait_for(waiter, deadline - time.monotonic())
            except TimeoutError:
                raise TimeoutError(f"not within {timeout} s; last calls: {self._last_calls()}") from None

    async def wait_for_text(
        self,
        chat_id: int,
        text: str,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109 - as in `wait_for`
        after: int = 0,
    ) -> ChatMessage:
        """The first message of the bot with an id above `after` that shows `text` now."""

        def found() -> ChatMessage | None:
            first = None
            chat = self.world.chats.get(chat_id)
            for message in reversed(chat.messages.values() if chat is not None else ()):
                if message.message_id <= after:
                    break
                if message.from_bot and not message.deleted and text in message.text:
                    first = message
            return first

        return await self.wait_for(found, timeout)

    def _last_calls(self) -> str:
        last = [request for request in self.requests if request.method != "getUpdates"][-5:]
        return "; ".join(f"{r.method} {r.params} -> {r.description or r.code}" for r in last) or "none"

    def _changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    # What people do

    def add_chat(
        self, chat_id: int, chat_type: str | None = None, title: str | None = None, **fields: Any
    ) -> Chat:
        """Make a chat known to the bot; `fields` are fields of `Chat` (is_forum=True, username="...")."""
        chat = self.world.add_chat(chat_id, chat_type, title)
        for name, value in fields.items():
            setattr(chat, name, value)
        return chat

    def add_topic(self, chat_id: int, thread_id: int, name: str = "A topic") -> None:
        """Open a topic; its chat becomes a forum."""
        self.world.add_topic(self.world.add_chat(chat_id), thread_id, name, self.world.add_user(1001))

    def user_says(self, chat_id: int, text: str, **options: Unpack[SayOptions]) -> Said:
        """A person writes; an unknown chat or topic is made. In a private chat it is its own person."""
        return self._did(self._people.says(chat_id, text, **options))

    def user_sends(
        self,
        chat_id: int,
        kind: str,
        data: bytes,
        *,
        name: str = "file.bin",
        caption: str = "",
        **options: Unpack[SayOptions],
    ) -> Said:
        """A person sends a document, photo, voice, audio, video, animation, video_note or sticker."""
        upload = Upload(name, "application/octet-stream", data)
        return self._did(self._people.sends(chat_id, kind, upload, caption, **options))

    def user_shares(self, chat_id: int, what: Shares, **options: Unpack[SayOptions]) -> Said:
        """A person shares a place, a contact, a poll, dice: `what` has one entry, as the Bot API has it."""
        return self._did(self._people.shares(chat_id, what, **options))

    def user_sends_album(
        self, chat_id: int, photos: Sequence[bytes], caption: str = "", **options: Unpack[SayOptions]
    ) -> list[Said]:
        """A person sends photos as one album; the caption stands below the first."""
        self._albums += 1
        album = str(13_500_000_000_000_000 + self._albums)
        options["extra"] = {**options.get("extra", {}), "media_group_id": album}
        return [
            self.user_sends(chat_id, "photo", data, caption="" if number else caption, **options)
            for number, data in enumerate(photos)
        ]

    def user_invites(self, chat_id: int, user_id: int) -> int | None:
        """A person brings the bot into a group."""
        chat = self.world.add_chat(chat_id)
        chat.members[self.world.bot.id] = "left"
        return self._did(self._people.changes_membership(chat_id, "member", user_id))

    def upgrade(self, chat_id: int, new_chat_id: int, user_id: int = 1001) -> None:
        """A group becomes a supergroup with another number; the bot is told."""
        self._people.upgrades(chat_id, new_chat_id, user_id)
        self._changed()

    def user_edits(self, chat_id: int, message_id: int, text: str) -> int | None:
        return self._did(self._people.edits(chat_id, message_id, text))

    def user_presses(self, chat_id: int, message_id: int, data: str, user_id: int | None = None) -> str:
        """A person presses a button; the answers are in `callback_answers` under the id returned here."""
        return self._did(self._people.presses(chat_id, message_id, data, user_id))

    def user_reacts(
        self, chat_id: int, message_id: int, emoji: str, user_id: int | None = None
    ) -> int | None:
        return self._did(self._people.reacts(chat_id, message_id, emoji, user_id))

    def set_membership(self, chat_id: int, status: str) -> int | None:
        """The bot becomes member, administrator, left or kicked (in a private chat: blocked); it is told."""
        return self._did(self._people.changes_membership(chat_id, status))

    def refuse(self, chat_id: int, reason: Refusal | None, new_chat_id: int | None = None) -> None:
        """The chat refuses what the bot writes, without an update about it; None ends that."""
        chat = self.world.add_chat(chat_id)
        chat.refusal = None if reason is None else refusal(reason, chat, new_chat_id)

    def forget(self) -> None:
        """Drop the log of calls and the messages of all chats (for benchmarks that run long)."""
        self.requests.clear()
        self.actions.clear()
        for chat in self.world.chats.values():
            chat.messages.clear()

    def _did(self, result: T) -> T:
        self._changed()
        return result


if __name__ == "__main__":
    from .telegram_api.serve import main

    main(TelegramFake)
