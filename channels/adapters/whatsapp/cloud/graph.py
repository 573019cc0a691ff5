"""Meta's server: one method for each thing that is asked of it.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference. All raise GraphError for its own refusals, and
DeliveryError where it can't be reached or its answer can't be read.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from channels.adapters.whatsapp.cloud.failures import answered, lost
from channels.adapters.whatsapp.cloud.fields import number, parts, words
from channels.adapters.whatsapp.cloud.payloads import Payload, read_mark
from channels.adapters.whatsapp.settings import WhatsAppSettings, secret
from channels.errors import NotSent, Refused, Unknown

_ANSWER_SECONDS = 20.0
_UPLOAD_SECONDS = 120.0
_SIGN_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
_CHUNK = 1 << 18
_MEDIA_HOSTS = ("facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net")
"""Who may be shown the token for a file."""
_USER_AGENT = "nanobot"
"""The file server refuses programs that name none."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file at Meta. `url` works for five minutes, with the token only; `size` is 0 where it was not said."""

    url: str
    sha256: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Line:
    """The number that the bot writes from."""

    number: str
    name: str


class Graph:
    def __init__(self, settings: WhatsAppSettings) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(
            base_url=f"{settings.base_url}/{settings.version}/",
            headers={"User-Agent": _USER_AGENT},
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def send(self, payload: Payload) -> str:
        """Returns the message's id."""
        body = await self._call(
            "POST", self._path("messages"), json={"messaging_product": "whatsapp", **payload}
        )
        ref = words((parts(body, "messages") or [{}])[0], "id")
        if not ref:
            raise Unknown("WhatsApp's answer names no message")
        return ref

    async def mark(self, message_id: str, *, typing: bool) -> None:
        """Mark a message as read."""
        payload = read_mark(message_id, typing=typing)
        await self._call("POST", self._path("messages"), json=payload, timeout=_SIGN_SECONDS)

    async def upload(self, path: Path, name: str, mime: str) -> str:
        """Returns the file's id. Raises Refused too, for one that can't be read."""
        try:
            handle = await asyncio.to_thread(path.open, "rb")
        except OSError as error:
            raise Refused(f"the file {name} can't be read: {error.strerror}") from error
        with handle:
            try:
                body = await self._call(
                    "POST",
                    self._path("media"),
                    data={"messaging_product": "whatsapp", "type": mime},
                    files={"file": (name, handle, mime)},
                    timeout=_UPLOAD_SECONDS,
                )
            except Unknown as error:  # an upload that came through shows nobody anything
                raise NotSent(error.detail) from error
        if not words(body, "id"):
            raise NotSent("WhatsApp took the file but names it not")
        return words(body, "id")

    async def stored(self, media_id: str) -> Stored:
        body = await self._call("GET", media_id, params={"phone_number_id": self._settings.phone_number_id})
        return Stored(words(body, "url"), _digest(words(body, "sha256")), int(number(body, "file_size")))

    async def download(self, file: Stored, to: Path, most: int) -> bool:
        """Bring a file's bytes to a path; False where its address is too old. Raises Refused for one too large, and
        OSError.
        """
        if not self._trusted(file.url):
            raise Refused("WhatsApp names a strange address for the file")
        try:
            async with self._http.stream("GET", file.url, headers=self._bearer()) as response:
                if response.status_code in {401, 403, 404, 410}:
                    return False
                if response.status_code != httpx.codes.OK:
                    raise NotSent(f"WhatsApp's file server answered with status {response.status_code}")
                digest = await _written(response, to, most)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotSent(f"the file could not be fetched from WhatsApp: {type(error).__name__}") from error
        if file.sha256 and digest != file.sha256:
            raise NotSent("the file came damaged from WhatsApp")
        return True

    async def line(self) -> Line:
        body = await self._call(
            "GET", self._settings.phone_number_id, params={"fields": "display_phone_number,verified_name"}
        )
        return Line(words(body, "display_phone_number"), words(body, "verified_name"))

    def _path(self, name: str) -> str:
        return f"{self._settings.phone_number_id}/{name}"

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {secret(self._settings.token)}"}

    def _trusted(self, url: str) -> bool:
        try:
            at, own = httpx.URL(url), httpx.URL(self._settings.base_url)
        except httpx.InvalidURL:
            return False
        if (at.scheme, at.host, at.port) == (own.scheme, own.host, own.port):
            return True
        return at.scheme == "https" and any(
            at.host == host or at.host.endswith(f".{host}") for host in _MEDIA_HOSTS
        )

    async def _call(self, method: str, path: str, **how: Any) -> Mapping[str, Any]:
        try:
            response = await self._http.request(method, path, headers=self._bearer(), **how)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise lost(error) from error
        return answered(response)


def _digest(text: str) -> bytes:
    """As bytes, of hexadecimal digits as files have it, or of base64 as deliveries have it."""
    try:
        found = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text)
    except ValueError:
        return b""
    return found if len(found) == 32 else b""


async def _written(response: httpx.Response, to: Path, most: int) -> bytes:
    """The digest of what was written."""
    digest, size = hashlib.sha256(), 0
    with await asyncio.to_thread(to.open, "wb") as file:
        async for chunk in response.aiter_bytes(_CHUNK):
            size += len(chunk)
            if size > most:
                raise Refused(f"the file is larger than {most / 1e6:.1f} MB")
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
    return digest.digest()
