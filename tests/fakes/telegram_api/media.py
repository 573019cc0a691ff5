"""Files: sending them by upload or by id, and giving them back."""

from __future__ import annotations

import mimetypes
from pathlib import Path, PurePath
from typing import Any

from .errors import WRONG_FILE, ApiError, bad_request
from .forms import Call, Upload
from .messages import Handler, MessageMethods
from .text import read_text
from .world import StoredFile, World

MAX_UPLOAD = 50 * 1024 * 1024
MAX_DOWNLOAD = 20 * 1024 * 1024
FOLDERS = {
    "document": "documents",
    "photo": "photos",
    "voice": "voice",
    "audio": "music",
    "video": "videos",
    "animation": "animations",
    "video_note": "video_notes",
    "sticker": "stickers",
}
SENT_BY_BOTS = ("document", "photo", "voice", "audio", "video")
_SUFFIXES = {"voice": ".oga", "photo": ".jpg"}
_MIME = {"voice": "audio/ogg", "audio": "audio/mpeg", "video": "video/mp4", "animation": "video/mp4"}
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")
_STICKER = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}


class MediaMethods:
    """Handlers of sendDocument and its kin, and of getFile."""

    def __init__(self, world: World, messages: MessageMethods) -> None:
        self.local: Path | None = None
        """Where a server started with --local keeps its files; it gives paths in there."""
        self._world = world
        self._messages = messages

    def table(self) -> dict[str, Handler]:
        return {
            **{f"send{kind.capitalize()}": self._sender(kind) for kind in SENT_BY_BOTS},
            "getFile": self.get_file,
        }

    def _sender(self, kind: str) -> Handler:
        return lambda call: self._send(kind, call)

    def _send(self, kind: str, call: Call) -> Any:
        caption = read_text(call, "caption", "caption_entities")
        return self._messages.post(call, caption, kind, self._media(kind, call))

    def _media(self, kind: str, call: Call) -> Any:
        upload = _upload(kind, call)
        if upload is None:
            file = self._world.files.get(call.text(kind))
            if file is None:
                raise bad_request("wrong file identifier/HTTP URL specified")
            name = PurePath(file.path).name
        else:
            if kind == "photo" and not upload.data.startswith(_PICTURES):
                raise bad_request("IMAGE_PROCESS_FAILED")
            file = store_upload(self._world, kind, upload)
            name = upload.name
        details: dict[str, Any] = {
            key: call.integer(key) for key in ("duration", "width", "height") if call.integer(key)
        }
        details |= {key: call.text(key) for key in ("performer", "title") if call.text(key)}
        return media_json(kind, file, name, details)

    def get_file(self, call: Call) -> Any:
        file_id = call.text("file_id")
        if not file_id:
            raise bad_request("file_id not specified")
        file = self._world.files.get(file_id)
        if file is None:
            raise bad_request("invalid file_id")
        if file.size > MAX_DOWNLOAD and self.local is None:
            raise bad_request("file is too big")
        if len(file.data) != file.size:
            raise bad_request(WRONG_FILE)
        return {
            "file_id": file.file_id,
            "file_unique_id": file.unique_id,
            "file_size": file.size,
            "file_path": file.path if self.local is None else str(_on_disk(self.local, file)),
        }


def _on_disk(folder: Path, file: StoredFile) -> Path:
    path = folder / PurePath(file.path).name
    path.write_bytes(file.data)
    return path


def _upload(kind: str, call: Call) -> Upload | None:
    """The file part itself, or the one that `attach://name` points to."""
    value = call.text(kind)
    if value.startswith("attach://"):
        return call.files.get(value.removeprefix("attach://"))
    return call.files.get(kind)


def store_upload(world: World, kind: str, upload: Upload) -> StoredFile:
    """Raises ApiError 413 over 50 MB and 400 for an empty file."""
    if len(upload.data) > MAX_UPLOAD:
        raise ApiError(413, "Request Entity Too Large")
    if not upload.data:
        raise bad_request("file must be non-empty")
    suffix = _SUFFIXES.get(kind) or PurePath(upload.name).suffix
    return world.store_file(upload.data, FOLDERS[kind], suffix)


def media_json(kind: str, file: StoredFile, name: str, details: dict[str, Any]) -> Any:
    """The media object of a message; a photo is a list of sizes."""
    value: dict[str, Any] = {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
    }
    if kind == "photo":
        small = {
            **value,
            "file_id": f"{file.file_id}s",
            "file_unique_id": f"{file.unique_id}s",
            "file_size": 9,
        }
        return [{**small, "width": 90, "height": 60}, {**value, "width": 1280, "height": 853}]
    if kind == "video_note":
        return value | {"duration": 1, "length": 240}
    if kind == "sticker":
        return value | _STICKER | details
    value["mime_type"] = _MIME.get(kind) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind in {"document", "audio", "video", "animation"}:
        value["file_name"] = name
    if kind in {"voice", "audio", "video", "animation"}:
        value["duration"] = 1
    if kind in {"video", "animation"}:
        value |= {"width": 640, "height": 480}
    return value | details
