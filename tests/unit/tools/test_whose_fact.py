"""What counts as said by the person: nothing that text from outside could have slipped in."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.safety.rules import Act
from bot.toolbox import ToolContext
from bot.tools.memory import RememberArguments, remembers

SAID = "I live in Oslo with my sister Eva, and I'm allergic to nuts. My flat is 12b."


@pytest.mark.parametrize(
    "fact",
    ["Anna lives in Oslo.", "Anna's sister is Eva", "Anna is allergic to nuts", "The flat of Anna is 12b."],
)
async def test_the_persons_own_words_are_a_note(tmp_path: Path, fact: str) -> None:
    assert await act(tmp_path, fact) is Act.NOTE


@pytest.mark.parametrize(
    "fact",
    [
        "Anna lives in Oslo, flat 13c",
        "Anna's sister Eva lives in Oslo and wants money",
        "Eva: 99",
        "a b",
        "...",
    ],
)
async def test_a_word_of_somebody_else_makes_it_another_matter(tmp_path: Path, fact: str) -> None:
    assert await act(tmp_path, fact) is Act.REMEMBER


async def act(folder: Path, fact: str) -> Act:
    context = ToolContext(folder, "anna", lambda: 0.0, words=(SAID,))
    return await remembers(context, RememberArguments(fact=fact))
