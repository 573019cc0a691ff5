"""The files of facts: people edit them at any time, with whatever editor they have, and nothing of theirs is lost."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.memory.facts import HOUSEHOLD, Change
from bot.memory.keeper import Keeper, TooLarge, folder_name
from bot.storage.database import Database

ANN = "ann"
TEA = [Change("add", new="Likes tea", source="today")]


class Slow:
    """A database that lets somebody save the file while a version is stored."""

    def __init__(self, database: Database, meanwhile: list[Callable[[], None]]) -> None:
        self._database = database
        self._meanwhile = meanwhile

    async def read(self, run: Callable[[Any], Any]) -> Any:
        return await self._database.read(run)

    async def write(self, run: Callable[[Any], Any]) -> Any:
        done = await self._database.write(run)
        if self._meanwhile:
            self._meanwhile.pop(0)()
        return done


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


@pytest.fixture
def keeper(database: Database, tmp_path: Path) -> Keeper:
    return Keeper(database, tmp_path, lambda: 1_790_000_000.0)


def by_hand(keeper: Keeper, text: str | bytes, owner: str = ANN) -> None:
    file = keeper.file(owner)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)


async def test_a_fact_makes_a_file_that_only_its_owner_can_read(keeper: Keeper) -> None:
    await keeper.change(ANN, TEA, "asked")
    file = keeper.file(ANN)
    assert file.read_text() == "# What I know about ann\n\n- Likes tea <!-- today -->\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["MEMORY.md"]


async def test_edits_by_hand_are_kept_as_versions_of_their_own(keeper: Keeper) -> None:
    await keeper.change(ANN, TEA, "asked")
    by_hand(keeper, "# Me\n\nI wrote this.\n- Likes coffee\n")
    await keeper.change(ANN, [Change("add", new="Has a dog")], "reflection")
    history = await keeper.history(ANN)
    assert [one.why for one in history] == ["asked", "edited by hand", "reflection"]
    assert keeper.file(ANN).read_text() == "# Me\n\nI wrote this.\n- Likes coffee\n- Has a dog\n"
    assert await keeper.restore(ANN, history[0].number)
    assert "Likes tea" in keeper.read(ANN)
    assert (await keeper.history(ANN))[-1].why == f"version {history[0].number} restored"


async def test_a_version_is_its_owners_alone(keeper: Keeper) -> None:
    await keeper.change(ANN, TEA, "asked")
    number = (await keeper.history(ANN))[0].number
    assert not await keeper.restore("bob", number)
    assert not await keeper.restore(ANN, number + 1)
    assert keeper.read("bob") == ""


async def test_what_is_saved_while_a_change_is_stored_survives_with_the_change(
    database: Database, tmp_path: Path
) -> None:
    meanwhile: list[Callable[[], None]] = []
    slow: Any = Slow(database, meanwhile)
    kept = Keeper(slow, tmp_path, lambda: 0.0)
    await kept.change(ANN, TEA, "asked")
    meanwhile.append(lambda: by_hand(kept, "- Likes coffee, she says\n"))
    await kept.change(ANN, [Change("add", new="Has a dog")], "reflection")
    assert kept.file(ANN).read_text() == "- Likes coffee, she says\n- Has a dog\n"


async def test_a_file_that_is_saved_all_the_time_is_left_alone(database: Database, tmp_path: Path) -> None:
    texts = iter(f"- Fact {'x' * number}\n" for number in range(100))
    by_them = Keeper(database, tmp_path, lambda: 0.0)
    saving: Any = Slow(database, [lambda: by_hand(by_them, next(texts))] * 100)
    ours = Keeper(saving, tmp_path, lambda: 0.0)
    with pytest.raises(OSError, match="edited all the time"):
        await ours.change(ANN, TEA, "asked")
    assert "tea" not in ours.read(ANN)


async def test_a_file_that_is_not_read_whole_is_never_written(keeper: Keeper) -> None:
    text = "".join(f"- Fact number {number} {'x' * 80}\n" for number in range(4000))
    by_hand(keeper, text)
    with pytest.raises(TooLarge, match="make it shorter"):
        await keeper.change(ANN, TEA, "asked")
    assert keeper.file(ANN).read_text() == text
    assert keeper.read(ANN).startswith("- Fact number 0")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("- Grüße\n".encode(), "- Grüße\n"),
        ("\ufeff- Grüße\n".encode(), "- Grüße\n"),
        ("- Grüße\r\n- Tee\r\n".encode(), "- Grüße\n- Tee\n"),
        ("- Gr\u00fc\u00dfe\n- caf\u00e9\n".encode("cp1252"), "- Grüße\n- café\n"),
        ("caf\u00e9".encode("cp1252"), "café"),
    ],
    ids=["utf-8", "mark", "windows lines", "windows letters", "windows letters at the end"],
)
async def test_what_any_editor_wrote_is_read_and_stays(keeper: Keeper, written: bytes, read: str) -> None:
    by_hand(keeper, written)
    assert keeper.read(ANN) == read
    await keeper.change(ANN, TEA, "asked")
    assert keeper.file(ANN).read_text(encoding="utf-8").startswith(read.rstrip())


async def test_the_household_has_a_file_that_nobodys_name_leads_to(keeper: Keeper, tmp_path: Path) -> None:
    await keeper.change(HOUSEHOLD, TEA, "asked")
    assert (tmp_path / "memory" / "household.md").exists()
    assert keeper.file("household") == tmp_path / "memory" / "household" / "MEMORY.md"
    assert keeper.file("@household").name == "household.md"
    assert keeper.read("household") == ""


@given(st.text(max_size=12), st.text(max_size=12))
def test_two_people_never_share_a_folder(one: str, other: str) -> None:
    names = {folder_name(name) for name in (one, other)}
    assert len(names) == len({one, other})
    assert all(name and "/" not in name and "\0" not in name and not name.startswith(".") for name in names)


def test_a_plain_name_is_its_folder() -> None:
    assert [folder_name(name) for name in ("ann", "Jürgen", "o_k-2")] == ["ann", "Jürgen", "o_k-2"]
    assert folder_name("anna b") != folder_name("anna_b")
