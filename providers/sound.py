"""What goes to models that hear and models that speak, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.types import Attempt, RateWindow, Route, Usage

TRANSCRIPTION = "transcription"
"""The role of models that write speech down."""
SPOKEN_CHARACTERS = 14.0
"""In a second, about; for what speech will cost before it is made."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Speech to be written down. `name` is a file's, its ending tells servers the format; `seconds` is how long it is,
    as far as that is known. `language` is a code such as "it"; "" lets the model find out.
    """

    data: bytes = field(repr=False)
    name: str
    media_type: str
    seconds: float = 0.0
    language: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one provider heard in a recording: nothing at all is an answer, too. `language` where it told."""

    text: str
    language: str = ""
    usage: Usage = field(default_factory=Usage)
    limits: tuple[RateWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """Speech written down, by whom, and every attempt that led there. `usd` is what all of them cost, if known."""

    text: str
    language: str
    route: Route
    path: tuple[Attempt, ...]
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text to be spoken. `voice` is a name that the model knows; the answer is to be Opus in Ogg."""

    text: str
    voice: str

    @property
    def seconds(self) -> float:
        """How long it will be, about."""
        return len(self.text) / SPOKEN_CHARACTERS


@dataclass(frozen=True, slots=True)
class Spoken:
    """Speech as one provider made it, in the format that it chose."""

    data: bytes = field(repr=False)
    media_type: str
    limits: tuple[RateWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken text, by whom, and every attempt that led there."""

    data: bytes = field(repr=False)
    media_type: str
    route: Route
    path: tuple[Attempt, ...]
    usd: float = 0.0
