"""Decode what a Bot API client sends: a query string, JSON, a urlencoded or a multipart form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from .errors import ApiError, bad_request

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;]+))', re.IGNORECASE)
_DISPOSITION = re.compile(r';\s*(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file part of a multipart form."""

    name: str
    content_type: str
    data: bytes


@dataclass(slots=True)
class Call:
    """One Bot API call: the method's name as written, its parameters and its files."""

    method: str
    params: dict[str, Any]
    files: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        value = self.params.get(name)
        return "" if value is None else value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str, default: int = 0) -> int:
        """A number; like the real server, anything else than a number counts as 0."""
        value = self.params.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            return 0

    def flag(self, name: str) -> bool:
        value = self.params.get(name)
        return value is True or (isinstance(value, str) and value.lower() in {"true", "yes", "1"})

    def json(self, name: str) -> Any:
        """A parameter that holds JSON: decoded already in a JSON body, a string in a form; None if absent."""
        value = self.params.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error


def decode_call(method: str, query: str, content_type: str, body: bytes) -> Call:
    """Parameters of the query string come first, those of the body win.

    Raises ApiError 400 for a body that is none of the known kinds.
    """
    params: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    call = Call(method, params)
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return call
    if kind == "application/json":
        params.update(_json_object(body))
    elif kind == "multipart/form-data":
        _read_multipart(call, content_type, body)
    elif kind == "application/x-www-form-urlencoded":
        params.update(parse_qsl(body.decode(), keep_blank_values=True))
    else:
        raise bad_request(f"unsupported content type {kind!r}")
    return call


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise ApiError(400, "Bad Request: can't parse JSON object") from error
    if not isinstance(value, dict):
        raise bad_request("object expected as request body")
    return value


def _read_multipart(call: Call, content_type: str, body: bytes) -> None:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise bad_request("boundary not found")
    for headers, data in _parts(body, (match[1] or match[2]).strip().encode()):
        fields = {
            key.lower(): value for key, value in _DISPOSITION.findall(headers.get("content-disposition", ""))
        }
        name = fields.get("name", "")
        if "filename" in fields:
            kind = headers.get("content-type", "application/octet-stream")
            call.files[name] = Upload(fields["filename"], kind, data)
        else:
            call.params[name] = data.decode()


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    chunks = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(chunks) < 2 or not chunks[-1].startswith(b"--"):
        raise bad_request("unexpected end of multipart form")
    for chunk in chunks[1:-1]:
        head, _, data = chunk.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        pairs = (line.split(":", 1) for line in head.decode().split("\r\n") if ":" in line)
        yield {name.strip().lower(): value.strip() for name, value in pairs}, data
