"""Tells the thoughts and tool calls that a model writes into its text from the answer, in a stream cut
anywhere. Pure.

`<think>…</think>` counts at the very beginning only; some templates leave the opening tag to the prompt, so
that a closing one without it makes everything before it a thought. `<tool_call>…</tool_call>` counts where
tools were offered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "thought", "call", "open_call"]
"""`open_call` is a tool call whose closing tag never came."""

_THINK, _THOUGHT = "<think>", "</think>"
_CALL, _CALLED = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True)
class Section:
    kind: Kind
    text: str


class Splitter:
    """Feed it text as it comes; it returns what is certain, and holds back what may be the beginning of a
    tag.
    """

    def __init__(self, *, calls: bool) -> None:
        self._calls = calls
        self._inside: Kind = "text"
        self._held = ""
        self._begun = False

    def feed(self, text: str) -> list[Section]:
        self._held += text
        sections: list[Section] = []
        while self._step(sections):
            pass
        return sections

    def close(self) -> list[Section]:
        """What was held back; a tag that was never closed ends here."""
        held, self._held = self._held, ""
        if self._inside == "call":
            return [Section("open_call", held)]
        return [Section(self._inside, held)] if held else []

    def answer(self, text: str) -> str:
        """The text without a thought whose opening tag was in the prompt."""
        before, tag, after = text.partition(_THOUGHT)
        return after if tag and not before.endswith("`") else text

    def _step(self, sections: list[Section]) -> bool:
        """Move on by one tag; False where more text is needed."""
        if self._inside == "text":
            return self._in_text(sections)
        end = _THOUGHT if self._inside == "thought" else _CALLED
        inner, tag, after = self._held.partition(end)
        if tag:
            self._emit(sections, inner)
            self._inside, self._held = "text", after
            return True
        if self._inside == "thought":
            self._release(sections, (end,))
        return False

    def _in_text(self, sections: list[Section]) -> bool:
        if not self._begun:
            stripped = self._held.lstrip()
            if stripped.startswith(_THINK):
                self._begun, self._inside, self._held = True, "thought", stripped.removeprefix(_THINK)
                return True
            if _THINK.startswith(stripped):
                return False
            self._begun = True
        before, tag, after = self._held.partition(_CALL) if self._calls else (self._held, "", "")
        if tag:
            self._held = before
            self._emit(sections, before)
            self._inside, self._held = "call", after
            return True
        self._release(sections, (_CALL,) if self._calls else ())
        return False

    def _release(self, sections: list[Section], tags: tuple[str, ...]) -> None:
        """Give out all but what may be the beginning of one of the tags."""
        held = 0 if "<" not in self._held else max((_overlap(self._held, tag) for tag in tags), default=0)
        certain = self._held[: len(self._held) - held]
        self._held = self._held[len(self._held) - held :]
        self._emit(sections, certain)

    def _emit(self, sections: list[Section], text: str) -> None:
        if text:
            sections.append(Section(self._inside, text))


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` are the beginning of `tag`."""
    return next((n for n in range(min(len(text), len(tag) - 1), 0, -1) if text.endswith(tag[:n])), 0)
