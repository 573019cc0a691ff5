"""The parts of a mail, found without copying it: bounded in depth and number, lenient with what is broken. Pure.

The standard library's parser keeps every line as an object and looks at each once for every level of nesting; a mail
of an attacker's making holds it up for minutes.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from channels.adapters.email.headers import Headers, base64, header_at, parameters

DEEPEST = 12
"""Nesting; parts below it are left out."""

MOST_PARTS = 400

_CANDIDATES = 20_000
"""Lines that look like a boundary before they are given up."""

_RFC822 = frozenset({"message/rfc822", "message/global"})


@dataclass(slots=True)
class Budget:
    """How many parts may still be read; `spent` says that some weren't."""

    parts: int = MOST_PARTS
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf, a multipart with its parts, or a mail within the mail as a part with one."""

    headers: Headers
    type: str
    parameters: Mapping[str, str]
    raw: bytes = field(repr=False)
    start: int
    end: int
    children: tuple[Part, ...] = ()

    @property
    def disposition(self) -> str:
        return parameters(self.headers.one("Content-Disposition"))[0]

    @property
    def name(self) -> str:
        """The file's name as its sender's program gave it; "" where it gave none."""
        given = parameters(self.headers.one("Content-Disposition"))[1].get("filename", "")
        return (given or self.parameters.get("name", "")).strip()

    @property
    def encoded_size(self) -> int:
        return self.end - self.start

    def content(self, most: int) -> bytes:
        """Decoded; of what is much larger than `most` bytes only the beginning."""
        data = self.raw[self.start : min(self.end, self.start + 4 * most + 4096)]
        return _DECODERS.get(self.encoding, bytes)(data)

    @property
    def encoding(self) -> str:
        return self.headers.one("Content-Transfer-Encoding").partition(";")[0].strip().lower()

    def walk(self) -> Iterator[Part]:
        """It and all parts below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse(raw: bytes, budget: Budget | None = None) -> Part:
    return _part((raw, 0, len(raw)), budget or Budget(), 0, "text/plain")


def _part(span: tuple[bytes, int, int], budget: Budget, depth: int, default: str) -> Part:
    raw, start, end = span
    headers, body = header_at(raw, start, end)
    mime, options = parameters(headers.one("Content-Type"))
    mime = mime if mime.count("/") == 1 and " " not in mime else ("text/plain" if mime else default)
    children: tuple[Part, ...] = ()
    if mime.startswith("multipart/"):
        inner = "message/rfc822" if mime == "multipart/digest" else "text/plain"
        spans = list(_split((raw, body, end), options.get("boundary", "").encode("utf-8", "replace")))
        children = tuple(_below(spans, budget, depth, inner))
        if not spans:  # its boundary was never written: what there is, is text
            mime = "text/plain"
    part = Part(headers, mime, options, raw, body, end, children)
    if mime in _RFC822:
        return _letter(part, budget, depth)
    return part


def _below(
    spans: Iterable[tuple[bytes, int, int]], budget: Budget, depth: int, default: str
) -> Iterator[Part]:
    for span in spans:
        if depth >= DEEPEST or budget.parts <= 0:
            budget.spent = True
            return
        budget.parts -= 1
        yield _part(span, budget, depth + 1, default)


def _letter(part: Part, budget: Budget, depth: int) -> Part:
    """A mail within the mail; some programs encode it, although RFC 2046 forbids that."""
    span = (part.raw, part.start, part.end)
    if part.encoding in {"base64", "quoted-printable"}:
        content = part.content(part.encoded_size)
        span = (content, 0, len(content))
    inside = tuple(_below([span], budget, depth, "text/plain"))
    return Part(part.headers, part.type, part.parameters, part.raw, part.start, part.end, inside)


def _split(span: tuple[bytes, int, int], boundary: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Where the parts of a multipart lie. One that isn't closed ends where the whole does."""
    raw, start, end = span
    if not boundary:
        return
    mark = b"--" + boundary
    begun = -1
    for at, after, closes in _marks(raw, start, end, mark):
        if begun >= 0:
            yield raw, begun, max(begun, _before(raw, at))
        begun = after
        if closes:
            return
    if begun >= 0:
        yield raw, min(begun, end), end


def _marks(raw: bytes, start: int, end: int, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Each boundary line: where it begins, where the next one does, and whether it closes the multipart."""
    at = start - 1
    for _ in range(_CANDIDATES):
        at = raw.find(mark, at + 1, end)
        if at < 0:
            return
        if at > start and raw[at - 1] != 0x0A:
            continue
        tail = at + len(mark)
        closes = raw.startswith(b"--", tail)
        line_end = raw.find(b"\n", tail, min(end, tail + 1000))
        after = line_end + 1 if line_end >= 0 else end
        if closes or not raw[tail:after].strip():
            yield at, after, closes


def _before(raw: bytes, at: int) -> int:
    """The line break before a boundary belongs to the boundary."""
    at -= raw[at - 1 : at] == b"\n"
    return at - (raw[at - 1 : at] == b"\r")


def _quoted_printable(data: bytes) -> bytes:
    return binascii.a2b_qp(data)


def _uuencoded(data: bytes) -> bytes:
    out = []
    for line in data.split(b"\n"):
        if line.startswith((b"begin ", b"end")) or not line.strip():
            continue
        try:
            out.append(binascii.a2b_uu(line.rstrip(b"\r")))
        except binascii.Error:
            continue
    return b"".join(out)


_DECODERS = {
    "base64": base64,
    "quoted-printable": _quoted_printable,
    "x-uuencode": _uuencoded,
    "uuencode": _uuencoded,
}
