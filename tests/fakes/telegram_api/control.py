"""The stand-in's own door for tests in another process: `POST /control/<verb>` with a JSON object.

The answer is `{"result": ...}`, or status 400 and `{"error": text}`. Verbs are `say`, `say_all`, `send_file`,
`send_album`, `share`, `invite`, `upgrade`, `edit`,
`press`, `react`, `membership`, `refuse`, `add_chat`, `add_topic`, `chat`, `wait`, `requests`, `actions`,
`drafts`, `complaints`, `state`, `fault`, `faults`, `clear_faults` and `forget`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from .faults import Fault
from .http11 import Exchange

if TYPE_CHECKING:
    from tests.fakes.telegram import TelegramFake

MAX_WAIT = 120.0


class Control:
    """Translates control requests into calls on the fake."""

    def __init__(self, fake: TelegramFake) -> None:
        self._fake = fake
        self._waiting: set[asyncio.Task[None]] = set()
        self._verbs: dict[str, Callable[..., Any]] = {
            "say": lambda **given: fake.user_says(**given)._asdict(),
            "say_all": lambda messages: [fake.user_says(**given)._asdict() for given in messages],
            "send_file": self._send_file,
            "send_album": self._send_album,
            "share": lambda **given: fake.user_shares(**given)._asdict(),
            "invite": fake.user_invites,
            "upgrade": fake.upgrade,
            "edit": fake.user_edits,
            "press": fake.user_presses,
            "react": fake.user_reacts,
            "membership": fake.set_membership,
            "refuse": fake.refuse,
            "add_chat": lambda **given: fake.add_chat(**given).as_json(),
            "add_topic": fake.add_topic,
            "chat": lambda **given: [message.as_json() for message in fake.chat(**given)],
            "requests": self._requests,
            "actions": lambda: [asdict(action) for action in fake.actions],
            "drafts": lambda: [asdict(draft) for draft in fake.drafts],
            "complaints": lambda: list(fake.complaints),
            "state": self._state,
            "fault": self._add_fault,
            "faults": lambda: [_fault_json(fault) for fault in fake.faults],
            "clear_faults": fake.faults.clear,
            "forget": fake.forget,
        }

    def handle(self, exchange: Exchange, verb: str) -> None:
        try:
            given = json.loads(exchange.body or b"{}")
            if verb == "wait":
                self._start_waiting(exchange, given)
                return
            result = self._verb(verb)(**given)
        except (LookupError, TypeError, ValueError) as error:
            _answer(exchange, 400, {"error": f"{type(error).__name__}: {error}"})
            return
        _answer(exchange, 200, {"result": result})

    def _verb(self, name: str) -> Callable[..., Any]:
        if name not in self._verbs:
            raise ValueError(f"no such verb; there are wait, {', '.join(self._verbs)}")
        return self._verbs[name]

    async def stop(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    def _start_waiting(self, exchange: Exchange, given: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._wait(exchange, **given))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _wait(
        self, exchange: Exchange, chat_id: int, text: str = "", seconds: float = 30.0, after: int = 0
    ) -> None:
        """Answer with the first message of the bot above `after` that shows `text`; null when time is up."""
        try:
            found = await self._fake.wait_for_text(chat_id, text, timeout=min(seconds, MAX_WAIT), after=after)
        except TimeoutError:
            _answer(exchange, 200, {"result": None})
            return
        _answer(exchange, 200, {"result": found.as_json()})

    def _send_file(self, chat_id: int, kind: str, data: str, **options: Any) -> dict[str, Any]:
        """`data` is base64."""
        return self._fake.user_sends(chat_id, kind, base64.b64decode(data), **options)._asdict()

    def _send_album(self, chat_id: int, photos: list[str], **options: Any) -> list[dict[str, Any]]:
        """`photos` are base64."""
        pictures = [base64.b64decode(photo) for photo in photos]
        return [said._asdict() for said in self._fake.user_sends_album(chat_id, pictures, **options)]

    def _requests(self, since: int = 0, method: str | None = None) -> list[dict[str, Any]]:
        seen = self._fake.requests[since:]
        return [asdict(request) for request in seen if method in {None, request.method}]

    def _state(self) -> dict[str, Any]:
        return {
            "pending_updates": self._fake.pending_updates,
            "polled": self._fake.is_polled,
            "requests": len(self._fake.requests),
            "chats": sorted(self._fake.world.chats),
        }

    def _add_fault(self, **given: Any) -> dict[str, Any]:
        """Fields of `Fault`; for `kill` also under the name `kill_pid`."""
        if "kill_pid" in given:
            given = {**given, "pid": given.pop("kill_pid"), "kind": "kill"}
        return _fault_json(self._fake.faults.add(Fault(**given)))


def _fault_json(fault: Fault) -> dict[str, Any]:
    named = {item.name: getattr(fault, item.name) for item in fields(fault)}
    return {name: value for name, value in named.items() if not callable(value)}


def _answer(exchange: Exchange, status: int, value: dict[str, Any]) -> None:
    exchange.reply(status, json.dumps(value).encode())
