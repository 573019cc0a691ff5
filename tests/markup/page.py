"""docs/MARKUP.md: the page `hard.md` as every channel shows it, between marks of the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from channels.markup import Event, mail_html, parse, plain, telegram_html, whatsapp

PAGE = Path(__file__).parents[2] / "docs" / "MARKUP.md"
HARD = Path(__file__).with_name("hard.md")
_END = "<!-- end -->"

DIALECTS: dict[str, tuple[str, Callable[[list[Event]], str]]] = {
    "telegram": ("html", telegram_html),
    "whatsapp": ("text", whatsapp),
    "mail": ("html", mail_html),
    "plain": ("text", plain),
}


def made() -> dict[str, str]:
    """The blocks that the page must have, by their name."""
    source = HARD.read_text(encoding="utf-8")
    blocks = {"markdown": _fenced("markdown", source)}
    for name, (language, render) in DIALECTS.items():
        blocks[name] = _fenced(language, render(parse(source)))
    return blocks


def kept(name: str) -> str:
    """A block as the page has it."""
    _, mark, after = PAGE.read_text(encoding="utf-8").partition(_mark(name))
    block, end, _ = after.partition(_END)
    assert mark, f"{PAGE.name} has no block {name!r}"
    assert end, f"{PAGE.name} has no block {name!r}"
    return block.strip("\n")


def write() -> None:
    """Renew all blocks."""
    for name, block in made().items():
        before, mark, after = PAGE.read_text(encoding="utf-8").partition(_mark(name))
        assert mark, f"{PAGE.name} has no block {name!r}"
        _, end, rest = after.partition(_END)
        PAGE.write_text(f"{before}{mark}\n{block}\n{end}{rest}", encoding="utf-8")


def _fenced(language: str, text: str) -> str:
    return f"`````{language}\n{text.strip()}\n`````"


def _mark(name: str) -> str:
    return f"<!-- shown: {name} -->"
