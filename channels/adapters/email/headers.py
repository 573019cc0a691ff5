"""The header fields of a mail or of a part of one: cut out, unfolded, decoded. Pure; never raises."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields in the order in which they stand, topmost first; values are unfolded and not yet decoded."""

    fields: tuple[tuple[str, str], ...] = ()

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every field of this name, in any case."""
        wanted = name.lower()
        return tuple(value for field, value in self.fields if field.lower() == wanted)

    def one(self, name: str) -> str:
        """The first field's value; "" where there is none."""
        return next(iter(self.all(name)), "")


def read_headers(raw: bytes) -> Headers:
    """The header of a raw mail (or of its first bytes, as IMAP's BODY.PEEK[HEADER] brings them)."""
    raise NotImplementedError
