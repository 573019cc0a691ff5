"""The methods about the bot itself and its chats: getMe, commands, webhook, getChat, callback queries."""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import QUERY_TOO_OLD, bad_request
from .forms import Call
from .lookups import find_chat
from .messages import Handler
from .updates import UpdateQueue
from .webhooks import Webhooks
from .world import Chat, World

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
MAX_COMMANDS = 100
MAX_DESCRIPTION = 256
_NO_GIFTS = dict.fromkeys(
    (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    ),
    False,
)
_RIGHTS = (
    "can_be_edited",
    "is_anonymous",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
)


class AccountMethods:
    """Handlers about the bot account."""

    def __init__(self, world: World, updates: UpdateQueue, webhooks: Webhooks, *, privacy: bool) -> None:
        self._world = world
        self._webhooks = webhooks
        self._updates = updates
        self._privacy = privacy
        self.commands: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.callback_answers: dict[str, dict[str, Any] | None] = {}

    def table(self) -> dict[str, Handler]:
        return {
            "getMe": self.get_me,
            "setMyCommands": self.set_commands,
            "getMyCommands": self.get_commands,
            "deleteMyCommands": self.delete_commands,
            "setWebhook": self.set_webhook,
            "deleteWebhook": self.delete_webhook,
            "getWebhookInfo": self.get_webhook_info,
            "getChat": self.get_chat,
            "getChatMember": self.get_chat_member,
            "answerCallbackQuery": self.answer_callback_query,
        }

    def get_me(self, call: Call) -> Any:
        return self._world.bot.as_json() | {
            "can_join_groups": True,
            "can_read_all_group_messages": not self._privacy,
            "supports_inline_queries": False,
            "supports_guest_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
            "has_topics_enabled": False,
            "allows_users_to_create_topics": False,
            "can_manage_bots": False,
        }

    def _scope(self, call: Call) -> tuple[str, str]:
        scope = call.json("scope") or {"type": "default"}
        return json.dumps(scope, sort_keys=True), call.text("language_code")

    def set_commands(self, call: Call) -> bool:
        commands = call.json("commands")
        if not isinstance(commands, list):
            raise bad_request("expected an Array of BotCommand")
        if len(commands) > MAX_COMMANDS:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        for item in commands:
            if not _COMMAND.fullmatch(item.get("command", "").removeprefix("/")):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 0 < len(item.get("description", "")) <= MAX_DESCRIPTION:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[self._scope(call)] = [
            {**item, "command": item["command"].removeprefix("/")} for item in commands
        ]
        return True

    def get_commands(self, call: Call) -> Any:
        return self.commands.get(self._scope(call), [])

    def delete_commands(self, call: Call) -> bool:
        self.commands.pop(self._scope(call), None)
        return True

    def set_webhook(self, call: Call) -> bool:
        url = call.text("url")
        if not url:
            return self.delete_webhook(call)
        if not url.lower().startswith("https://"):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", call.text("secret_token")):
            raise bad_request("secret token contains unallowed characters")
        allowed = call.json("allowed_updates")
        if allowed is not None:
            self._updates.allowed = frozenset(map(str, allowed)) or None
        self._updates.webhook_was_set()
        self._webhooks.set(url, call.text("secret_token"), call.integer("max_connections", 40))
        self._drop_if_asked(call)
        return True

    def delete_webhook(self, call: Call) -> bool:
        self._webhooks.remove()
        self._drop_if_asked(call)
        return True

    def _drop_if_asked(self, call: Call) -> None:
        if call.flag("drop_pending_updates"):
            self._updates.clear()

    def get_webhook_info(self, call: Call) -> Any:
        info = {"url": "", "has_custom_certificate": False, "pending_update_count": len(self._updates)}
        if self._updates.allowed is not None:
            info["allowed_updates"] = sorted(self._updates.allowed)
        return info | self._webhooks.info

    @property
    def has_webhook(self) -> bool:
        return bool(self._webhooks.info)

    def get_chat(self, call: Call) -> Any:
        chat = find_chat(self._world, call, write=False)
        return chat.as_json() | {
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": _NO_GIFTS,
        }

    def get_chat_member(self, call: Call) -> Any:
        chat = find_chat(self._world, call, write=False)
        user_id = call.integer("user_id")
        if user_id not in self._world.users:
            raise bad_request("invalid user_id specified" if user_id <= 0 else "PARTICIPANT_ID_INVALID")
        return member_json(self._world, chat, user_id)

    def answer_callback_query(self, call: Call) -> bool:
        query_id = call.text("callback_query_id")
        if query_id not in self.callback_answers:
            raise bad_request(QUERY_TOO_OLD)
        self.callback_answers[query_id] = dict(call.params)
        return True


def member_json(world: World, chat: Chat, user_id: int) -> dict[str, Any]:
    """The ChatMember object for the status that the chat holds of this user."""
    status = chat.members.get(user_id, "left")
    value: dict[str, Any] = {"user": world.users[user_id].as_json(), "status": status}
    if status == "creator":
        value["is_anonymous"] = False
    elif status == "administrator":
        value |= {right: right in {"can_manage_chat", "can_delete_messages"} for right in _RIGHTS}
    elif status == "kicked":
        value["until_date"] = 0
    return value
