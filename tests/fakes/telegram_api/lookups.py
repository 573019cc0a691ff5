"""What most methods begin with: the chat, topic, message and keyboard that the parameters name."""

from __future__ import annotations

from typing import Any

from .errors import ApiError, bad_request
from .forms import Call
from .world import GENERAL_TOPIC, Chat, ChatMessage, World

MAX_CALLBACK_DATA = 64


def find_chat(world: World, call: Call, *, write: bool = True) -> Chat:
    """The chat of `chat_id`; with `write` it must take messages from the bot.

    Raises ApiError 400 if the bot has never met it, or whatever the chat answers to writes at present.
    """
    chat_id = call.text("chat_id")
    if not chat_id:
        raise ApiError(400, "Bad Request: chat_id is empty")
    chat = _by_name(world, chat_id) if chat_id.startswith("@") else world.chats.get(call.integer("chat_id"))
    if chat is None:
        raise bad_request("chat not found")
    if write and chat.refusal is not None:
        raise chat.refusal
    return chat


def _by_name(world: World, name: str) -> Chat | None:
    wanted = name[1:].lower()
    return next((chat for chat in world.chats.values() if (chat.username or "").lower() == wanted), None)


def find_topic(call: Call, chat: Chat) -> int | None:
    """The topic of `message_thread_id`; ignored in chats that can't have topics.

    The General topic is not addressable: its messages carry no thread id, and asking for its id 1 fails.
    """
    thread_id = call.integer("message_thread_id")
    if thread_id <= 0 or not (chat.is_forum or chat.type == "private"):
        return None
    if thread_id not in chat.topics or (chat.is_forum and thread_id == GENERAL_TOPIC):
        raise bad_request("message thread not found")
    return thread_id


def find_reply(world: World, call: Call, chat: Chat) -> ChatMessage | None:
    """The message to reply to, as `reply_parameters` or the older two parameters say."""
    message_id: Any
    given = call.json("reply_parameters")
    if given is None:
        message_id, optional = call.integer("reply_to_message_id"), call.flag("allow_sending_without_reply")
    elif not isinstance(given, dict):
        raise bad_request("object expected as reply parameters")
    elif not given:
        return None
    else:
        message_id, optional = given.get("message_id"), bool(given.get("allow_sending_without_reply"))
        if not isinstance(message_id, int):
            raise bad_request('field "message_id" must be of type Number')
        if str(given.get("chat_id", chat.id)) != str(chat.id):
            chat = find_chat(world, Call(call.method, {"chat_id": given["chat_id"]}), write=False)
    if message_id <= 0:
        return None
    message = chat.messages.get(message_id)
    if message is not None and not message.deleted:
        return message
    if optional:
        return None
    raise bad_request("message to be replied not found")


def find_message(call: Call, chat: Chat, role: str) -> ChatMessage:
    """The message of `message_id`; `role` is how the error names it ("message to edit")."""
    message = chat.messages.get(call.integer("message_id"))
    if message is None or message.deleted:
        raise bad_request(f"{role} not found")
    return message


def thread_of(chat: Chat, topic: int | None, replied: ChatMessage | None) -> tuple[int | None, bool]:
    """Thread id of a new message and whether that is a forum topic.

    A reply stays in its topic; in a supergroup without topics every chain of replies is a thread of its own.
    """
    if topic is not None:
        return topic, True
    if replied is None or chat.type != "supergroup":
        return None, False
    if chat.is_forum:
        return replied.thread_id, replied.is_topic
    return replied.thread_id or replied.message_id, False


def inline_keyboard(call: Call) -> dict[str, Any] | None:
    """The keyboard under the message; other kinds of reply_markup do not show in a message."""
    markup = call.json("reply_markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if rows is None:
        return None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise bad_request('can\'t parse inline keyboard button: field "text" must be non-empty')
        if not 0 < len(button.get("callback_data", "x").encode()) <= MAX_CALLBACK_DATA:
            raise bad_request("BUTTON_DATA_INVALID")
    return markup if any(rows) else None
