"""What counts as a command, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway.bus import stands_alone
from bot.gateway.commands import MENU, help_text, parse
from bot.safety.rules import Role
from bot.storage.tables import Inbox


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/stop", ("stop", "")),
        ("/STOP please", ("stop", "please")),
        ("/stop\nplease", ("stop", "")),
        ("\n/link ABCD2345 \n\n-- \nAnna", ("link", "ABCD2345")),
        ("/model\u2028a/b", ("model", "")),
        ("Re: lunch\n\n/stop", ("", "")),
        (" /stop", ("stop", "")),
        ("/stop@my_bot now", ("stop", "now")),
        ("/model  a/b ", ("model", "a/b")),
        ("/etc/hosts is what?", ("", "")),
        ("/", ("", "")),
        ("/ stop", ("", "")),
        ("stop", ("", "")),
        ("please /stop", ("", "")),
        ("", ("", "")),
        ("  \n", ("", "")),
    ],
)
def test_a_command_is_a_word_with_a_slash_at_the_start(text: str, command: tuple[str, str]) -> None:
    assert parse(text) == command


@given(st.text(max_size=30) | st.from_regex(r"\s*/(new|NEW)(@\w+)?\s.*"))
def test_only_new_stands_alone_and_both_readers_agree(text: str) -> None:
    row = Inbox(channel="t", key="1", session="t:1", person="p", text=text, sent_at=0.0, received_at=0.0)
    assert stands_alone(row) == (parse(text)[0] == "new")


def test_help_names_every_command_that_does_something_for_its_reader() -> None:
    def listed(role: Role) -> list[str]:
        return [line.partition(":")[0] for line in help_text(role).splitlines()]

    assert listed(Role.OWNER) == [f"/{entry.name}" for entry in MENU]
    assert set(listed(Role.OWNER)) - set(listed(Role.USER)) == {"/approve", "/deny"}
