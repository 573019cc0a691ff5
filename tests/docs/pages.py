"""The pages that people read, taken apart: fenced blocks with the line they begin at, code within text, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\w*)\s*$")
_COMMENT = re.compile(r"^ *<!-- (?P<text>.*?) -->$")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block. `note` is what an HTML comment right above it says."""

    page: Path
    line: int
    language: str
    text: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Page:
    """`lines` are those outside of fenced blocks, by their number; the others are empty."""

    path: Path
    lines: tuple[str, ...]
    blocks: tuple[Block, ...]

    def spans(self) -> Iterator[tuple[int, str]]:
        """Code within text, with its line."""
        for number, line in enumerate(self.lines, 1):
            for span in _SPAN.findall(line):
                yield number, span

    def links(self) -> Iterator[tuple[int, str]]:
        """Targets within this repository, with their line."""
        for number, line in enumerate(self.lines, 1):
            for target in _LINK.findall(_SPAN.sub("", line)):
                if "://" not in target and not target.startswith("mailto:"):
                    yield number, target

    def anchors(self) -> set[str]:
        """What GitHub calls the headings."""
        headings = [found[1] for line in self.lines if (found := _HEADING.match(line))]
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def read(path: Path) -> Page:
    outside: list[str] = []
    blocks: list[Block] = []
    inside: list[str] | None = None
    opened = _FENCE.match("```")
    note, began, said = "", 0, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None and fence:
            opened, inside, began, said = fence, [], number, note
        elif inside is not None and opened and fence and fence["fence"] == opened["fence"]:
            blocks.append(Block(path, began, opened["language"], "\n".join(inside) + "\n", said))
            inside = None
        elif inside is not None and opened:
            inside.append(line.removeprefix(opened["indent"]))
        else:
            outside.append(line)
            comment = _COMMENT.match(line)
            note = comment["text"] if comment else ""
            continue
        outside.append("")
        note = ""
    assert inside is None, f"{path.name}:{began}: the block isn't closed"
    return Page(path, tuple(outside), tuple(blocks))


def pages() -> list[Page]:
    return [read(path) for path in PAGES]


def blocks(*languages: str) -> list[Block]:
    return [block for page in pages() for block in page.blocks if block.language in languages]
