"""The part of OpenAI's protocol that is about sound: /audio/transcriptions and /audio/speech.

`Sound(llm)` adds it to a fake; what it says is given beforehand, as for chat. It refuses what OpenAI refuses: a form
that is none, a missing field, a kind of file that it doesn't know by its name, more than 25 MB, a model that it hasn't.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.llm import errors
from tests.fakes.llm.http11 import Request
from tests.fakes.llm.peers import Answer, denied, unknown_model
from tests.fakes.llm.server import LLMFake, bearer

ENDINGS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
LARGEST = 25 * 2**20


@dataclass(frozen=True)
class SoundAsked:
    """One request that was well formed. `file` and `data` are a recording's; `fields` all the rest."""

    path: str
    key: str
    fields: Mapping[str, str]
    file: str = ""
    media_type: str = ""
    data: bytes = field(default=b"", repr=False)


class Sound:
    """`replies` are used up in order: the text that is heard, speech, or any other answer; then `after`."""

    def __init__(
        self, llm: LLMFake, *replies: str | bytes | Answer, models: tuple[str, ...] = ("whisper-1",)
    ) -> None:
        self.replies = deque(replies)
        self.after: str | bytes | Answer = "Hello."
        self.asked: list[SoundAsked] = []
        self._llm = llm
        self._models = models
        self._before = llm.extra_routes
        llm.extra_routes = self._answer

    def _answer(self, request: Request) -> Answer | None:
        path = request.path.removeprefix(self._llm.setup.prefix)
        if request.method != "POST" or path not in ("/audio/transcriptions", "/audio/speech"):
            return self._before(request) if self._before else None
        key = bearer(request.headers)
        if self._llm.setup.key and key != self._llm.setup.key:
            return denied(self._llm.setup, key)
        read = _form if path == "/audio/transcriptions" else _speech
        try:
            asked = read(request, path, key)
        except ValueError as error:
            return Answer(400, errors.openai(str(error), "invalid_request_error"))
        if len(asked.data) > LARGEST:
            text = f"Maximum content size limit ({LARGEST}) exceeded ({len(request.body)} bytes read)"
            return Answer(413, errors.openai(text, "server_error"))
        if asked.fields["model"] not in self._models:
            return unknown_model(self._llm.setup, asked.fields["model"])
        self.asked.append(asked)
        reply = self.replies.popleft() if self.replies else self.after
        if isinstance(reply, str):
            return Answer(200, {"text": reply, "usage": {"type": "duration", "seconds": 4}})
        return Answer(200, reply, "audio/ogg") if isinstance(reply, bytes) else reply


def _form(request: Request, path: str, key: str) -> SoundAsked:
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data; boundary="):
        raise ValueError("Could not parse multipart form")
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    if not form.is_multipart() or form.defects:
        raise ValueError("Could not parse multipart form")
    fields, file, media_type, data = {}, "", "", b""
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename() is not None:
            file, media_type, data = part.get_filename() or "", part.get_content_type(), content
        else:
            fields[str(name)] = content.decode()
    for missing in {"model"} - fields.keys():
        raise ValueError(f"you must provide a {missing} parameter")
    if file.rpartition(".")[2] not in ENDINGS:
        raise ValueError(f"Invalid file format. Supported formats: {list(ENDINGS)}")
    if not data:
        raise ValueError("Audio file might be corrupted or unsupported")
    return SoundAsked(path, key, fields, file, media_type, data)


def _speech(request: Request, path: str, key: str) -> SoundAsked:
    fields = json.loads(request.body)
    for missing in {"model", "input", "voice"} - fields.keys():
        raise ValueError(f"Missing required parameter: '{missing}'.")
    if len(fields["input"]) > 4096:
        raise ValueError("String should have at most 4096 characters")
    return SoundAsked(path, key, fields)
