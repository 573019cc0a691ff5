"""What people do (write, edit, send files, press buttons, block the bot), as updates for the bot."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypedDict, Unpack

from .account import AccountMethods, member_json
from .entities import FormattedText, found_by_server
from .errors import ApiError, bad_request, forbidden
from .forms import Upload
from .lookups import thread_of
from .media import FOLDERS, media_json
from .updates import UpdateQueue
from .world import Chat, ChatMessage, User, World

Refusal = Literal["blocked", "deactivated", "kicked", "not_member", "not_started", "no_rights", "upgraded"]


class Said(NamedTuple):
    """Where a person's message went; `update_id` is None if the bot was not told."""

    update_id: int | None
    message_id: int


class SayOptions(TypedDict, total=False):
    """Keywords of `user_says` and `user_sends`."""

    user_id: int
    chat_type: str
    thread_id: int | None
    reply_to: int | None
    first_name: str
    username: str
    entities: list[dict[str, Any]]
    date: int
    extra: dict[str, Any]
    """Further fields of the message: `forward_origin`, `quote`, `external_reply`, `via_bot`, `media_group_id`."""


class Shares(TypedDict, total=False):
    """What people share without a file, as the Bot API has it."""

    location: dict[str, Any]
    venue: dict[str, Any]
    contact: dict[str, Any]
    poll: dict[str, Any]
    dice: dict[str, Any]


class People:
    """Acts for the people in the chats; `privacy` is the bot's privacy mode in groups."""

    def __init__(self, world: World, updates: UpdateQueue, account: AccountMethods, *, privacy: bool) -> None:
        self._world = world
        self._updates = updates
        self._account = account
        self._privacy = privacy
        self._last_query = 0

    def says(self, chat_id: int, text: str, **options: Unpack[SayOptions]) -> Said:
        return self._deliver(chat_id, text, "text", None, options)

    def sends(
        self, chat_id: int, kind: str, upload: Upload, caption: str = "", **options: Unpack[SayOptions]
    ) -> Said:
        """Send a file; `kind` is document, photo, voice, audio, video, animation, video_note or sticker."""
        file = self._world.store_file(upload.data, FOLDERS[kind], "")
        media = media_json(kind, file, upload.name, {"emoji": "😀"} if kind == "sticker" else {})
        if kind == "animation":
            options = {**options, "extra": {"document": media_json("document", file, upload.name, {})}}
        return self._deliver(chat_id, caption, kind, media, options)

    def shares(self, chat_id: int, what: Shares, **options: Unpack[SayOptions]) -> Said:
        """Share a place, a contact, a poll, dice: `what` has one entry."""
        ((kind, value),) = what.items()
        if kind == "venue":
            options = {**options, "extra": {**options.get("extra", {}), "location": value["location"]}}  # type: ignore[index]
        return self._deliver(chat_id, "", kind, value, options)

    def _deliver(self, chat_id: int, text: str, kind: str, media: Any, options: SayOptions) -> Said:
        world = self._world
        chat = world.add_chat(chat_id, options.get("chat_type"))
        author = self._author(chat, options)
        topic = options.get("thread_id")
        if topic is not None and topic not in chat.topics:
            world.add_topic(chat, topic, f"Topic {topic}", author)
        replied = chat.messages.get(options.get("reply_to") or 0)
        thread_id, is_topic = thread_of(chat, topic, replied)
        message = world.post(
            chat,
            author,
            text=text,
            entities=_entities(text, options.get("entities")),
            kind=kind,
            media=media,
            thread_id=thread_id,
            is_topic=is_topic,
            reply_to=options.get("reply_to"),
            extra=options.get("extra", {}),
        )
        message.date = options.get("date", message.date)
        return Said(self._tell("message", chat, message), message.message_id)

    def _author(self, chat: Chat, options: SayOptions) -> User:
        default = chat.id if chat.type == "private" else 1001
        user = self._world.add_user(
            options.get("user_id", default), options.get("first_name"), options.get("username")
        )
        if chat.type == "private":
            chat.title = user.first_name
            chat.username = user.username
        chat.members.setdefault(user.id, "member")
        return user

    def _tell(self, kind: str, chat: Chat, message: ChatMessage) -> int | None:
        if chat.is_group and self._privacy and not self._concerns_bot(chat, message):
            return None
        return self._updates.add(kind, self._world.message_json(message))

    def _concerns_bot(self, chat: Chat, message: ChatMessage) -> bool:
        """What a bot in privacy mode is told: commands, mentions, replies; an administrator sees all."""
        bot = self._world.bot
        if chat.members.get(bot.id) in {"administrator", "creator"}:
            return True
        replied = chat.messages.get(message.reply_to or 0)
        if replied is not None and replied.from_id == bot.id:
            return True
        raw = message.text.encode("utf-16-le")
        for entity in message.entities:
            start = 2 * entity["offset"]
            marked = raw[start : start + 2 * entity["length"]].decode("utf-16-le", "replace")
            _, _, name = marked.partition("@")
            named_bot = name.lower() == (bot.username or "").lower()
            if entity["type"] == "bot_command" and (named_bot or not name):
                return True
            if entity["type"] == "mention" and named_bot:
                return True
            if entity["type"] == "text_mention" and entity["user"]["id"] == bot.id:
                return True
        return False

    def edits(self, chat_id: int, message_id: int, text: str) -> int | None:
        """Change the text of a person's message."""
        chat = self._world.chats[chat_id]
        message = chat.messages[message_id]
        self._world.change(message, text, _entities(text, None))
        return self._tell("edited_message", chat, message)

    def presses(self, chat_id: int, message_id: int, data: str, user_id: int | None = None) -> str:
        """Press a button under a message of the bot; the id of the callback query."""
        world = self._world
        chat = world.chats[chat_id]
        self._last_query += 1
        query_id = str(4_000_000_000_000 + self._last_query)
        self._account.callback_answers[query_id] = None
        user = world.add_user(user_id or (chat_id if chat_id > 0 else 1001))
        message = chat.messages[message_id]
        gone = {"chat": chat.as_json(), "message_id": message_id, "date": 0}
        content: dict[str, Any] = {
            "id": query_id,
            "from": user.as_json(),
            "message": gone if message.deleted else world.message_json(message),
            "chat_instance": str(7_000_000_000 + abs(chat_id)),
            "data": data,
        }
        self._updates.add("callback_query", content)
        return query_id

    def reacts(self, chat_id: int, message_id: int, emoji: str, user_id: int | None = None) -> int | None:
        """React to a message; bots are told only if they asked for message_reaction."""
        user = self._world.add_user(user_id or (chat_id if chat_id > 0 else 1001))
        content: dict[str, Any] = {
            "chat": self._world.chats[chat_id].as_json(),
            "message_id": message_id,
            "user": user.as_json(),
            "date": int(self._world.clock()),
            "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": emoji}],
        }
        return self._updates.add("message_reaction", content)

    def upgrades(self, chat_id: int, new_chat_id: int, user_id: int) -> None:
        """A group becomes a supergroup with another number; both sides tell."""
        world = self._world
        old, new = world.chats[chat_id], world.add_chat(new_chat_id, "supergroup")
        old.refusal = refusal("upgraded", old, new_chat_id)
        user = world.add_user(user_id)
        for chat, kind, other in (
            (old, "migrate_to_chat_id", new_chat_id),
            (new, "migrate_from_chat_id", chat_id),
        ):
            message = world.post(chat, user, text="", kind=kind, media=other)
            self._updates.add("message", world.message_json(message))

    def changes_membership(self, chat_id: int, status: str, by_user_id: int | None = None) -> int | None:
        """Make the bot a member, an administrator, kicked (in a private chat: blocked) or left."""
        world = self._world
        chat = world.add_chat(chat_id)
        before = member_json(world, chat, world.bot.id)
        chat.members[world.bot.id] = status
        if status in {"member", "administrator"}:
            chat.refusal = None
        elif chat.type == "private":
            chat.refusal = refusal("blocked", chat)
        else:
            chat.refusal = refusal("kicked" if status == "kicked" else "not_member", chat)
        user = world.add_user(by_user_id or (chat_id if chat_id > 0 else 1001))
        content: dict[str, Any] = {
            "chat": chat.as_json(),
            "from": user.as_json(),
            "date": int(world.clock()),
            "old_chat_member": before,
            "new_chat_member": member_json(world, chat, world.bot.id),
        }
        return self._updates.add("my_chat_member", content)


def _entities(text: str, given: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """A person's client marks links, mentions and commands; `given` replaces that."""
    if given is not None:
        return given
    return found_by_server(FormattedText(text)).entities_json()


def refusal(reason: Refusal, chat: Chat, new_chat_id: int | None = None) -> ApiError:
    """How the server refuses to write into this chat."""
    if reason == "upgraded":
        text = "Bad Request: group chat was upgraded to a supergroup chat"
        return ApiError(400, text, migrate_to_chat_id=new_chat_id)
    if reason == "no_rights":
        return bad_request("not enough rights to send text messages to the chat")
    texts = {
        "blocked": "bot was blocked by the user",
        "deactivated": "user is deactivated",
        "not_started": "bot can't initiate conversation with a user",
        "kicked": f"bot was kicked from the {chat.type} chat",
        "not_member": f"bot is not a member of the {chat.type} chat",
    }
    return forbidden(texts[reason])
