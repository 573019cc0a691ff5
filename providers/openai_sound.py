"""Speech in OpenAI's protocol, both ways: `/audio/transcriptions` and `/audio/speech`. Pure.

See https://platform.openai.com/docs/api-reference/audio; Groq and servers of one's own follow it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from providers.errors import (
    BadRequest,
    Malformed,
    Misconfigured,
    NotSupported,
    ProviderError,
    ServerError,
    UnknownParameter,
)
from providers.sound import Heard, Recording, Utterance
from providers.types import Usage


def form(model: str, recording: Recording) -> tuple[bytes, str]:
    """The body that asks for a transcript, and its type: multipart/form-data (RFC 7578)."""
    boundary = secrets.token_hex(16)
    fields = {"model": model, "response_format": "json", "temperature": "0"}
    if recording.language:
        fields["language"] = recording.language
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    name = recording.name.replace('"', "_")
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {recording.media_type}\r\n\r\n"
    )
    body = b"".join((*parts, head.encode(), recording.data, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


def request(model: str, utterance: Utterance) -> bytes:
    """The body that asks for speech."""
    wanted = {
        "model": model,
        "input": utterance.text,
        "voice": utterance.voice,
        "response_format": "opus",
    }
    return json.dumps(wanted, ensure_ascii=False).encode("utf-8", "replace")


def transcript(body: bytes, media_type: str, seconds: float) -> Heard:
    """What an accepted answer says; `seconds` is the recording's length. Raises `Malformed`."""
    text = body.decode("utf-8", "replace")
    if media_type.partition(";")[0].strip() == "text/plain":
        return Heard(text.strip(), usage=Usage(seconds=seconds))
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("its transcript can't be read") from None
    if not isinstance(value, Mapping) or not isinstance(value.get("text"), str):
        raise Malformed("its answer holds no transcript")
    language = value.get("language")
    usage = replace(_usage(value.get("usage")), seconds=seconds)
    return Heard(value["text"].strip(), language if isinstance(language, str) else "", usage)


def meant(error: ProviderError) -> ProviderError:
    """What a failure means where it is about sound alone: that part of a server may be missing or broken while its
    models answer, and one server reads a recording that another one doesn't.
    """
    if error.status is None:
        return error
    if isinstance(error, Misconfigured):
        return NotSupported(error.detail, status=error.status)
    if isinstance(error, BadRequest) and not isinstance(error, UnknownParameter):
        return NotSupported(error.detail, status=error.status)
    if isinstance(error, ServerError):
        error.scope = "model"
    return error


def _usage(value: object) -> Usage:
    if not isinstance(value, Mapping):
        return Usage()
    numbers = list(_numbers(value, "input_tokens", "output_tokens"))
    return Usage(*numbers)


def _numbers(value: Mapping[str, Any], *names: str) -> Iterator[int]:
    for name in names:
        number = value.get(name)
        yield number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0
