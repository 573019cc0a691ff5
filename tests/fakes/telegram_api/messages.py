"""The methods that write into a chat: send, edit, delete, react, draft, show that the bot is busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .entities import FormattedText
from .errors import NOT_MODIFIED, bad_request
from .forms import Call
from .limits import Limits
from .lookups import find_chat, find_message, find_reply, find_topic, inline_keyboard, thread_of
from .text import MAX_CAPTION, read_text, settle
from .world import Action, Chat, ChatMessage, Draft, World

ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "record_audio",
        "upload_audio",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
        "cancel",
    ]
)
DELETABLE_FOR = 48 * 3600

Handler = Callable[[Call], Any]


class MessageMethods:
    """Handlers of the Bot API methods about messages; `limits` None means no flood control."""

    def __init__(self, world: World, limits: Limits | None = None) -> None:
        self._world = world
        self._limits = limits

    def table(self) -> dict[str, Handler]:
        return {
            "sendMessage": self.send_message,
            "sendMessageDraft": self.send_draft,
            "editMessageText": self.edit_text,
            "editMessageCaption": self.edit_caption,
            "editMessageReplyMarkup": self.edit_markup,
            "deleteMessage": self.delete_message,
            "sendChatAction": self.send_action,
            "setMessageReaction": self.set_reaction,
        }

    def send_message(self, call: Call) -> Any:
        if not call.text("text"):
            raise bad_request("message text is empty")
        formatted = read_text(call)
        return self.post(call, formatted, "text", None)

    def post(self, call: Call, formatted: FormattedText, kind: str, media: Any) -> Any:
        """Check where it goes, then put a message of the bot there; `formatted` is a text or a caption."""
        world = self._world
        keyboard = inline_keyboard(call)
        chat = find_chat(world, call)
        topic = find_topic(call, chat)
        replied = find_reply(world, call, chat)
        if kind == "text":
            formatted = settle(formatted, world.user_json)
        elif formatted.text:
            formatted = settle(formatted, world.user_json, MAX_CAPTION)
        self._charge(chat)
        thread_id, is_topic = thread_of(chat, topic, replied)
        message = world.post(
            chat,
            world.bot,
            text=formatted.text,
            entities=formatted.entities_json(),
            parse_mode=call.text("parse_mode") or None,
            kind=kind,
            media=media,
            thread_id=thread_id,
            is_topic=is_topic,
            reply_to=replied.message_id if replied is not None and replied.chat_id == chat.id else None,
            reply_markup=keyboard,
        )
        return world.message_json(message)

    def _charge(self, chat: Chat) -> None:
        if self._limits is not None:
            self._limits.charge(chat.id, is_group=chat.is_group)

    def _editable(self, call: Call) -> tuple[Chat, ChatMessage]:
        if not call.text("chat_id") and not call.integer("message_id"):
            raise bad_request("message identifier is not specified")
        chat = find_chat(self._world, call)
        message = find_message(call, chat, "message to edit")
        if not message.from_bot:
            raise bad_request("message can't be edited")
        return chat, message

    def edit_text(self, call: Call) -> Any:
        if not call.text("text"):
            raise bad_request("message text is empty")
        formatted = read_text(call)
        keyboard = inline_keyboard(call)
        chat, message = self._editable(call)
        if message.kind != "text":
            raise bad_request("there is no text in the message to edit")
        return self._change(call, chat, message, settle(formatted, self._world.user_json), keyboard)

    def edit_caption(self, call: Call) -> Any:
        formatted = read_text(call, "caption", "caption_entities")
        keyboard = inline_keyboard(call)
        chat, message = self._editable(call)
        if message.kind == "text":
            raise bad_request("there is no caption in the message to edit")
        if formatted.text:
            formatted = settle(formatted, self._world.user_json, MAX_CAPTION)
        return self._change(call, chat, message, formatted, keyboard)

    def edit_markup(self, call: Call) -> Any:
        keyboard = inline_keyboard(call)
        _, message = self._editable(call)
        if message.reply_markup == keyboard:
            raise bad_request(NOT_MODIFIED)
        message.reply_markup = keyboard
        message.edit_date = int(self._world.clock())
        return self._world.message_json(message)

    def _change(
        self,
        call: Call,
        chat: Chat,
        message: ChatMessage,
        new: FormattedText,
        keyboard: dict[str, Any] | None,
    ) -> Any:
        entities = new.entities_json()
        if (message.text, message.entities, message.reply_markup) == (new.text, entities, keyboard):
            raise bad_request(NOT_MODIFIED)
        self._charge(chat)
        message.reply_markup = keyboard
        message.parse_mode = call.text("parse_mode") or None
        self._world.change(message, new.text, entities)
        return self._world.message_json(message)

    def delete_message(self, call: Call) -> bool:
        if not call.text("chat_id"):
            raise bad_request("chat identifier is not specified")
        if not call.integer("message_id"):
            raise bad_request("message identifier is not specified")
        chat = find_chat(self._world, call)
        message = find_message(call, chat, "message to delete")
        may_delete_others = chat.type == "private" or chat.members.get(self._world.bot.id) == "administrator"
        if not message.from_bot and not may_delete_others:
            raise bad_request("message can't be deleted")
        if message.date < self._world.clock() - DELETABLE_FOR:
            raise bad_request("message can't be deleted for everyone")
        message.deleted = True
        return True

    def send_action(self, call: Call) -> bool:
        action = call.text("action").lower()
        if action not in ACTIONS:
            raise bad_request("wrong parameter action in request")
        chat = find_chat(self._world, call)
        thread_id = call.integer("message_thread_id") or None
        self._world.actions.append(Action(chat.id, thread_id, action, time.monotonic()))
        return True

    def send_draft(self, call: Call) -> bool:
        formatted = read_text(call)
        chat = find_chat(self._world, call)
        if chat.type != "private":
            raise bad_request("TEXTDRAFT_PEER_INVALID")
        thread_id = find_topic(call, chat)
        if formatted.text:
            formatted = settle(formatted, self._world.user_json)
        draft_id = call.integer("draft_id")
        if not draft_id:
            raise bad_request("RANDOM_ID_INVALID")
        entities = formatted.entities_json()
        self._world.drafts.append(
            Draft(chat.id, thread_id, draft_id, formatted.text, entities, time.monotonic())
        )
        return True

    def set_reaction(self, call: Call) -> bool:
        reaction = call.json("reaction") or []
        if not isinstance(reaction, list):
            raise bad_request("expected an Array of ReactionType")
        chat = find_chat(self._world, call, write=False)
        message = find_message(call, chat, "message to react")
        if len(reaction) > 1:
            raise bad_request("REACTIONS_TOO_MANY")
        message.reactions = reaction
        return True
