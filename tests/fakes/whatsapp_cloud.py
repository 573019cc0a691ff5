"""A stand-in for Meta's Graph API as WhatsApp's Cloud API uses it, and for the phones behind it.

    async with WhatsAppFake() as wa:
        ...a channel with wa.settings(), listening...
        wa.hook = "http://127.0.0.1:1234/whatsapp"
        wa.says("16505551234", "hello")
        await wa.until(lambda: wa.shown("16505551234") == ["Hi"])

It refuses what `whatsapp_checks` finds wrong, and notes it in `complaints`. What people write is delivered signed, and
again until it is answered with 200.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from channels.webhook import Bounds, listening
from tests.fakes import whatsapp_deliveries as made
from tests.fakes.whatsapp_answers import Cut, form_of, refusal
from tests.fakes.whatsapp_checks import UPLOADS, faults, mark_faults
from tests.fakes.whatsapp_deliveries import Payload

TOKEN = "EAAtest-token"
APP_SECRET = "app-secret-of-tests"
VERIFY_TOKEN = "verify-me"
VERSION = "v23.0"


@dataclass(frozen=True)
class Fault:
    """How a request to a path fails, `after` so many that don't. `drop`: the connection is cut; with `done`, after it
    took effect.
    """

    path: str
    response: Response | None = None
    drop: bool = False
    done: bool = False
    after: int = 0


@dataclass
class Shown:
    """A message of the bot, as it came."""

    ref: str
    to: str
    payload: Payload

    @property
    def text(self) -> str:
        """What its reader reads."""
        kind = self.payload["type"]
        content = self.payload[kind]
        if kind == "interactive":
            return str(content["body"]["text"])
        return str(content.get("body") or content.get("caption") or "")


@dataclass
class _Post:
    raw: bytes
    signature: str
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class WhatsAppFake:
    """`statuses`: whether each message is told to be sent and delivered by itself."""

    def __init__(self, *, statuses: bool = True) -> None:
        self.hook = ""
        self.base_url = ""
        self.sent: list[Shown] = []
        self.marks: list[Payload] = []
        self.requests: list[tuple[str, str]] = []
        self.complaints: list[str] = []
        self.media: dict[str, tuple[bytes, str]] = {}
        self.answers: list[int] = []
        """The statuses with which deliveries were answered."""
        self.urls_expired = False
        self.digest = ""
        """Told instead of a file's own, if set."""
        self.closed: set[str] = set()
        """Numbers whose 24 hours are over."""
        self.late = True
        """Whether that is told by a status, as mostly, and not at once."""
        self.token = TOKEN
        self._statuses = statuses
        self._faults: deque[Fault] = deque()
        self._ids = itertools.count(1)
        self._posts: asyncio.Queue[_Post] = asyncio.Queue()
        self._under_way = 0
        self._stack = AsyncExitStack()
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        routes = [
            Route(f"/{VERSION}/{made.PHONE_NUMBER_ID}/messages", self._messages, methods=["POST"]),
            Route(f"/{VERSION}/{made.PHONE_NUMBER_ID}/media", self._upload, methods=["POST"]),
            Route(f"/{VERSION}/{made.PHONE_NUMBER_ID}", self._line),
            Route(f"/{VERSION}/{{media_id}}", self._stored),
            Route("/attachments/{media_id}", self._download),
        ]
        bounds = Bounds(body=200_000_000, seconds=60)
        address = await self._stack.enter_async_context(listening(Starlette(routes=routes), bounds=bounds))
        self.base_url = f"http://{address[0]}:{address[1]}"
        self._http = await self._stack.enter_async_context(httpx.AsyncClient(timeout=10))
        postman = asyncio.create_task(self._deliver())
        self._stack.callback(postman.cancel)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._stack.aclose()
        if kind is None and self.complaints:
            raise AssertionError("WhatsApp's stand-in: " + "; ".join(self.complaints))

    def settings(self, **more: Any) -> dict[str, Any]:
        """What [channels.whatsapp] says to meet this server."""
        return {
            "mode": "cloud",
            "phone_number_id": made.PHONE_NUMBER_ID,
            "token": TOKEN,
            "app_secret": APP_SECRET,
            "verify_token": VERIFY_TOKEN,
            "webhook_listen": "127.0.0.1:0",
            "base_url": self.base_url,
            "version": VERSION,
            **more,
        }

    # What people do and see

    def says(self, number: str, text: str, **more: Any) -> str:
        """Somebody writes; returns the message's id."""
        return self.sends(number, "text", {"body": text}, **more)

    def sends(self, number: str, kind: str, content: Any, **more: Any) -> str:
        ref = self.ref()
        self.closed.discard(number)
        self.deliver(made.message(number, ref, kind, content, **more))
        return ref

    def sends_file(self, number: str, kind: str, data: bytes, mime: str, **content: Any) -> str:
        media_id = self.store(data, mime)
        file = {"mime_type": mime, "sha256": hashlib.sha256(data).hexdigest(), "id": media_id, **content}
        return self.sends(number, kind, file)

    def presses(self, number: str, shown: Shown, title: str) -> str:
        """Somebody presses a button under a message of the bot."""
        action = shown.payload["interactive"]["action"]
        rows = [button["reply"] for button in action.get("buttons", [])]
        rows += [row for section in action.get("sections", []) for row in section["rows"]]
        pressed = next({"id": row["id"], "title": row["title"]} for row in rows if row["title"] == title)
        kind = "button_reply" if "buttons" in action else "list_reply"
        context = {"from": made.NUMBER, "id": shown.ref}
        return self.sends(number, "interactive", {"type": kind, kind: pressed}, context=context)

    def shown(self, number: str) -> list[str]:
        return [one.text for one in self.sent if one.to == number]

    # What tests arrange and look at

    def ref(self) -> str:
        return f"wamid.{next(self._ids):06d}"

    def store(self, data: bytes, mime: str) -> str:
        media_id = str(1_003_383_421_387_000 + next(self._ids))
        self.media[media_id] = data, mime
        return media_id

    def status(self, shown: Shown, state: str, **more: Any) -> None:
        tracker = shown.payload.get("biz_opaque_callback_data")
        mark = {"biz_opaque_callback_data": tracker} if tracker else {}
        self.deliver(made.status(shown.to, shown.ref, state, **mark, **more))

    def deliver(self, payload: Payload, app_secret: str = APP_SECRET) -> None:
        raw = made.encoded(payload)
        self._under_way += 1
        self._posts.put_nowait(_Post(raw, made.signature(raw, app_secret)))

    def undelivered(self) -> int:
        return self._under_way

    def fails(self, code: int, status: int = 400, path: str = "messages", *, after: int = 0) -> None:
        """Let the next request to this path, `after` so many that are not, be refused with one of Meta's errors."""
        self._faults.append(Fault(path, refusal(code, status), after=after))

    def answers_with(self, response: Response, path: str = "messages") -> None:
        self._faults.append(Fault(path, response))

    @property
    def troubles(self) -> int:
        """How many of those that were arranged are still to come."""
        return len(self._faults)

    def drops(self, path: str = "messages", *, done: bool = False) -> None:
        """Let the connection break before the next answer; with `done`, after what was asked for was done."""
        self._faults.append(Fault(path, drop=True, done=done))

    async def until(self, predicate: Callable[[], object], seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while not predicate():
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.01), self._changed:
                        await self._changed.wait()

    # The server

    async def _messages(self, request: Request) -> Response:
        body = await request.json()
        if (early := await self._checked(request, "messages")) is not None:
            return early
        if "status" in body:
            return await self._marked(body)
        if wrong := faults(body, {ref: mime for ref, (_, mime) in self.media.items()}):
            self.complaints += wrong
            return refusal(100, details="; ".join(wrong))
        to = body.get("to") or body["recipient"]
        if to in self.closed and not self.late and body["type"] != "template":
            return refusal(131047, details="More than 24 hours have passed")
        shown = Shown(self.ref(), to, body)
        self.sent.append(shown)
        self._tell(shown)
        if self._dropping("messages"):
            return Cut()
        contact = {"input": to, "wa_id": to}
        return JSONResponse(
            {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": shown.ref}]}
        )

    def _tell(self, shown: Shown) -> None:
        if shown.to in self.closed and shown.payload["type"] != "template":
            self.status(shown, "failed", **made.failure(131047, "Re-engagement message"))
        elif self._statuses:
            self.status(shown, "sent")
            self.status(shown, "delivered")

    async def _marked(self, body: Payload) -> Response:
        if wrong := mark_faults(body):
            self.complaints += wrong
            return refusal(100, details="; ".join(wrong))
        self.marks.append(body)
        return JSONResponse({"success": True})

    async def _upload(self, request: Request) -> Response:
        if (early := await self._checked(request, "media")) is not None:
            return early
        form = form_of(request.headers["content-type"], await request.body())
        if form.get("messaging_product") != b"whatsapp" or "file" not in form:
            return refusal(100, details="messaging_product and file are needed")
        data, mime = form["file"], form.get("type", b"").decode()
        if mime not in UPLOADS or not data:
            return refusal(
                100, details=f"Param file must be of a supported type; received {mime!r}, {len(data)} bytes"
            )
        return JSONResponse({"id": self.store(data, mime)})

    async def _stored(self, request: Request) -> Response:
        if (early := await self._checked(request, "stored")) is not None:
            return early
        media_id = request.path_params["media_id"]
        if media_id not in self.media:
            return refusal(100, error_subcode=33, details="Object does not exist")
        data, mime = self.media[media_id]
        self.urls_expired = False
        return JSONResponse(
            {
                "messaging_product": "whatsapp",
                "url": f"{self.base_url}/attachments/{media_id}",
                "mime_type": mime,
                "sha256": self.digest or hashlib.sha256(data).hexdigest(),
                "file_size": str(len(data)),
                "id": media_id,
            }
        )

    async def _download(self, request: Request) -> Response:
        if (early := await self._checked(request, "download")) is not None:
            return early
        if self.urls_expired or request.path_params["media_id"] not in self.media:
            return Response(status_code=404)
        data, mime = self.media[request.path_params["media_id"]]
        return Response(data, media_type=mime)

    async def _line(self, request: Request) -> Response:
        if (early := await self._checked(request, "line")) is not None:
            return early
        return JSONResponse(
            {"display_phone_number": "+1 555-078-3881", "verified_name": "Ann's", "id": made.PHONE_NUMBER_ID}
        )

    async def _checked(self, request: Request, path: str) -> Response | None:
        """A refusal that comes before anything else."""
        self.requests.append((request.method, path))
        async with self._changed:
            self._changed.notify_all()
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return refusal(190, 401, message="Error validating access token: Session has expired")
        first = self._faults[0] if self._faults else None
        if first is None or first.path != path or first.done:
            return None
        if first.after:
            self._faults[0] = replace(first, after=first.after - 1)
            return None
        self._faults.popleft()
        return Cut() if first.drop else first.response

    def _dropping(self, path: str) -> bool:
        if self._faults and self._faults[0].path == path and self._faults[0].done:
            self._faults.popleft()
            return True
        return False

    async def _deliver(self) -> None:
        """Meta's postman: one after the other, each until it is taken or refused for good."""
        while True:
            post = await self._posts.get()
            while not self.hook or await self._posted(post) not in (200, 400, 403):
                await asyncio.sleep(0.01)
            self._under_way -= 1
            async with self._changed:
                self._changed.notify_all()

    async def _posted(self, post: _Post) -> int:
        headers = {"content-type": "application/json", "x-hub-signature-256": post.signature}
        try:
            response = await self._http.post(self.hook, content=post.raw, headers=headers)
        except httpx.HTTPError:
            return 0
        self.answers.append(response.status_code)
        return response.status_code
