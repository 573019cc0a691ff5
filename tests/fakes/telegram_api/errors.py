"""Errors as the Bot API words them.

The texts were read in the official server's source (tdlib/telegram-bot-api and tdlib/td, state of mid 2026).
"""

from __future__ import annotations

import json
from typing import Any


class ApiError(Exception):
    """An answer `{"ok": false, ...}`; the HTTP status equals `code`."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.parameters = parameters

    def body(self) -> bytes:
        answer: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return json.dumps(answer).encode()

    def headers(self) -> list[tuple[str, str]]:
        retry_after = self.parameters.get("retry_after")
        return [("Retry-After", str(retry_after))] if retry_after else []


def bad_request(text: str) -> ApiError:
    """400; a text that starts with an ordinary capital is put in lower case, as the real server does."""
    if len(text) > 1 and not (text[1] == "_" or text[1].isupper()):
        text = text[0].lower() + text[1:]
    return ApiError(400, f"Bad Request: {text}")


def forbidden(text: str) -> ApiError:
    return ApiError(403, f"Forbidden: {text}")


def conflict(text: str) -> ApiError:
    return ApiError(409, f"Conflict: {text}")


def too_many_requests(seconds: int) -> ApiError:
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


OTHER_POLLER = "terminated by other getUpdates request; make sure that only one bot instance is running"
SET_WEBHOOK = "terminated by setWebhook request"
WEBHOOK_ACTIVE = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as "
    "a current content and reply markup of the message"
)
QUERY_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
WRONG_FILE = "wrong file_id or the file is temporarily unavailable"

DEFAULT_TEXT = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: f"Conflict: {OTHER_POLLER}",
    500: "Internal Server Error",
    502: "Bad Gateway",
}
"""What a scripted error says when the script gives no text."""
