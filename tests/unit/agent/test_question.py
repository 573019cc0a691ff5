"""What the owner reads before they say yes: the whole call, and nothing in it that hides another part."""

from __future__ import annotations

from bot.agent.calls import question
from bot.storage.tables import Approval
from providers.types import ToolCall


def asked(command: str) -> str:
    approval = Approval(
        code="ABC234",
        session="s",
        turn=1,
        call="1",
        tool="shell",
        digest="",
        reason="it would run",
        asked_of="owner",
        asked_at=0,
        expires_at=0,
    )
    return question(ToolCall("1", "shell", {"command": command}), approval)


def test_letters_that_nobody_sees_or_that_turn_the_others_round_are_spelled_out() -> None:
    shown = asked("ls \u202e# ab/ fr- mr\u2066; rm\u200b -r x\x7f")
    assert "ls \\u202e# ab/ fr- mr\\u2066; rm\\u200b -r x\\u007f" in shown


def test_words_of_any_language_stay_as_they_are() -> None:
    assert '"command": "grep città 東京 🙂"' in asked("grep città 東京 🙂")
