"""What exists on the Telegram side: users, chats, topics, messages, files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import ApiError

GENERAL_TOPIC = 1


@dataclass(slots=True)
class User:
    """A person or a bot."""

    id: int
    first_name: str
    is_bot: bool = False
    username: str | None = None
    language_code: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(slots=True)
class Shown:
    """One state of a message's text; `at` is in seconds of this machine's monotonic clock."""

    text: str
    entities: list[dict[str, Any]]
    at: float


@dataclass(slots=True)
class ChatMessage:
    """A message as people in the chat see it, with everything it ever showed (`history`, oldest first)."""

    chat_id: int
    message_id: int
    from_id: int
    from_bot: bool
    text: str
    date: int
    at: float
    entities: list[dict[str, Any]] = field(default_factory=list)
    parse_mode: str | None = None
    kind: str = "text"
    media: Any = None
    thread_id: int | None = None
    is_topic: bool = False
    reply_to: int | None = None
    reply_markup: dict[str, Any] | None = None
    edit_date: int | None = None
    deleted: bool = False
    reactions: list[dict[str, Any]] = field(default_factory=list)
    history: list[Shown] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of its Bot API object, such as `forward_origin`."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ChatMessage:
        history = [Shown(**shown) for shown in value["history"]]
        return cls(**{**value, "history": history})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Action:
    """A sendChatAction ("typing" is shown for five seconds)."""

    chat_id: int
    thread_id: int | None
    action: str
    at: float


@dataclass(slots=True)
class Draft:
    """A sendMessageDraft."""

    chat_id: int
    thread_id: int | None
    draft_id: int
    text: str
    entities: list[dict[str, Any]]
    at: float


@dataclass(slots=True)
class StoredFile:
    """A file on the server; `size` may be claimed without the bytes."""

    file_id: str
    unique_id: str
    path: str
    data: bytes
    size: int


@dataclass(slots=True)
class Chat:
    """A chat; `refusal` is raised for every write while it is set."""

    id: int
    type: str
    title: str
    is_forum: bool = False
    username: str | None = None
    topics: dict[int, str] = field(default_factory=dict)
    members: dict[int, str] = field(default_factory=dict)
    messages: dict[int, ChatMessage] = field(default_factory=dict)
    refusal: ApiError | None = None
    last_message_id: int = 0

    @property
    def is_group(self) -> bool:
        return self.type in {"group", "supergroup"}

    def as_json(self) -> dict[str, Any]:
        name = "first_name" if self.type == "private" else "title"
        value: dict[str, Any] = {"id": self.id, "type": self.type, name: self.title}
        if self.username:
            value["username"] = self.username
        if self.is_forum:
            value["is_forum"] = True
        return value


class World:
    """Holds the state and hands out identifiers; `clock` gives Unix time in seconds."""

    def __init__(self, bot: User, clock: Callable[[], float] = time.time) -> None:
        self.bot = bot
        self.clock = clock
        self.users: dict[int, User] = {bot.id: bot}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.actions: list[Action] = []
        self.drafts: list[Draft] = []
        self._last_message_id = 0
        self._last_file = 0

    def user_json(self, user_id: int) -> dict[str, Any] | None:
        user = self.users.get(user_id)
        return None if user is None else user.as_json()

    def add_user(self, user_id: int, first_name: str | None = None, username: str | None = None) -> User:
        user = self.users.setdefault(user_id, User(user_id, f"User {user_id}", language_code="en"))
        user.first_name = first_name or user.first_name
        user.username = username or user.username
        return user

    def add_chat(self, chat_id: int, chat_type: str | None = None, title: str | None = None) -> Chat:
        """The chat with that id, made if new: a private chat, or with a negative id a supergroup."""
        chat = self.chats.get(chat_id)
        if chat is None:
            kind = chat_type or ("private" if chat_id > 0 else "supergroup")
            name = title or (self.add_user(chat_id).first_name if kind == "private" else f"Group {-chat_id}")
            chat = self.chats[chat_id] = Chat(chat_id, kind, name)
            chat.members[self.bot.id] = "member"
        return chat

    def next_message_id(self, chat: Chat) -> int:
        """Supergroups count for themselves; private chats and basic groups share the account's counter."""
        if chat.type in {"supergroup", "channel"}:
            chat.last_message_id += 1
            return chat.last_message_id
        self._last_message_id += 1
        return self._last_message_id

    def post(self, chat: Chat, author: User, **details: Any) -> ChatMessage:
        """Put a message into the chat; `details` are further fields of ChatMessage."""
        now = self.clock()
        details.setdefault("message_id", None)
        message_id = details.pop("message_id") or self.next_message_id(chat)
        message = ChatMessage(
            chat_id=chat.id,
            message_id=message_id,
            from_id=author.id,
            from_bot=author.is_bot,
            date=int(now),
            at=time.monotonic(),
            **details,
        )
        message.history.append(Shown(message.text, message.entities, message.at))
        chat.messages[message_id] = message
        return message

    def change(self, message: ChatMessage, text: str, entities: list[dict[str, Any]]) -> None:
        """Show another text; the old one stays in the history."""
        message.text = text
        message.entities = entities
        message.edit_date = int(self.clock())
        message.history.append(Shown(text, entities, time.monotonic()))

    def add_topic(self, chat: Chat, thread_id: int, name: str, author: User) -> None:
        """Open a forum topic; its id is the id of the service message that says so."""
        chat.topics[thread_id] = name
        chat.last_message_id = max(chat.last_message_id, thread_id)
        if chat.type != "private":
            chat.is_forum = True
            service = {"name": name, "icon_color": 7322096}
            self.post(
                chat,
                author,
                text="",
                message_id=thread_id,
                kind="forum_topic_created",
                media=service,
                thread_id=thread_id,
                is_topic=True,
            )

    def store_file(self, data: bytes, folder: str, suffix: str, size: int | None = None) -> StoredFile:
        self._last_file += 1
        number = self._last_file
        file = StoredFile(
            file_id=f"BQACAgIAAxkBAAI{number:06d}",
            unique_id=f"AgAD{number:06d}",
            path=f"{folder}/file_{number}{suffix}",
            data=data,
            size=len(data) if size is None else size,
        )
        self.files[file.file_id] = file
        return file

    def message_json(self, message: ChatMessage, *, with_reply: bool = True) -> dict[str, Any]:
        """The message as a Bot API object; the one it replies to is inside, one level deep."""
        chat = self.chats[message.chat_id]
        value: dict[str, Any] = {
            "message_id": message.message_id,
            "from": self.users[message.from_id].as_json(),
            "chat": chat.as_json(),
            "date": message.date,
        }
        if message.edit_date is not None:
            value["edit_date"] = message.edit_date
        if message.thread_id is not None:
            value["message_thread_id"] = message.thread_id
        if message.is_topic:
            value["is_topic_message"] = True
        replied = self._replied(chat, message)
        if with_reply and replied is not None:
            value["reply_to_message"] = self.message_json(replied, with_reply=False)
        value.update(_content(message))
        if message.reply_markup is not None:
            value["reply_markup"] = message.reply_markup
        if not with_reply:  # what a quoted message answers itself is not told
            return value | {k: v for k, v in message.extra.items() if k not in {"quote", "external_reply"}}
        return value | message.extra

    def _replied(self, chat: Chat, message: ChatMessage) -> ChatMessage | None:
        """In a supergroup what is no real reply counts as a reply to the message that opened its topic."""
        target = message.reply_to
        if target is None and chat.type == "supergroup" and message.thread_id != message.message_id:
            target = message.thread_id
        replied = chat.messages.get(target or 0)
        return None if replied is None or replied.deleted else replied


def _content(message: ChatMessage) -> dict[str, Any]:
    if message.kind == "text":
        marked = {"entities": message.entities} if message.entities else {}
        return {"text": message.text, **marked}
    value: dict[str, Any] = {message.kind: message.media}
    if message.text:
        value["caption"] = message.text
    if message.entities:
        value["caption_entities"] = message.entities
    return value
