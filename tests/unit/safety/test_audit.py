"""The audit log: whatever is done to it afterwards is found, and where."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ops.audit import shown, verify, why
from bot.safety.audit import FIRST, Anchor, Anchors, Entry, Linked, faults, link
from bot.storage.database import Database
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking

SESSION = "terminal:main"


def chain(length: int) -> list[Linked]:
    made, previous = [], FIRST
    for number in range(1, length + 1):
        entry = Entry(float(number), "s", 1, "ann", "m", f"tool{number}", "own", "allow", True, 0.1, "a", "r")
        previous = link(previous, entry)
        made.append(Linked(number, entry, previous, None))
    return made


@given(st.integers(0, 30))
def test_a_whole_chain_has_no_fault(length: int) -> None:
    entries = chain(length)
    assert list(faults(entries, [Anchor(one.id, one.digest) for one in entries])) == []


@given(st.integers(2, 30), st.data())
def test_every_change_is_found_at_its_place(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    anchors = [Anchor(entries[-1].id, entries[-1].digest)]
    at = data.draw(st.integers(0, length - 1))
    changed = [*entries]
    changed[at] = replace(changed[at], entry=replace(changed[at].entry, tool="other"))
    assert next(faults(changed, anchors)).startswith(f"entry {at + 1}:")
    assert next(faults(entries[:at], anchors)).startswith(f"entry {at + 1}:")
    without = entries[:at] + entries[at + 1 :]
    if at < length - 1:
        assert "missing" in next(faults(without, anchors))
        swapped = [*entries]
        first, second = swapped[at], swapped[at + 1]
        swapped[at], swapped[at + 1] = replace(second, id=first.id), replace(first, id=second.id)
        assert next(faults(swapped, anchors)).startswith(f"entry {at + 1}:")


def test_a_chain_made_anew_is_found_by_its_anchors() -> None:
    """Who can write the database can also compute digests; the file beside it says otherwise."""
    anchors = [Anchor(one.id, one.digest) for one in chain(5)]
    forged, previous = [], FIRST
    for one in chain(5):
        entry = replace(one.entry, tool="innocent")
        previous = link(previous, entry)
        forged.append(Linked(one.id, entry, previous, None))
    assert next(faults(forged, anchors)) == "entry 1: it is another one than its anchor says"


def test_the_file_of_anchors_stays_small(tmp_path: Path) -> None:
    anchors = Anchors(tmp_path / "audit.anchors")
    for number in range(1, 16_000):
        anchors.add(Anchor(number, "f" * 64))
    assert (tmp_path / "audit.anchors").stat().st_size < 1_100_000
    assert anchors.read()[-1].id == 15_999


async def used(folder: Path) -> None:
    """A bot whose tools were used a dozen times."""
    calls = [Reply.tool("files_list", {"path": f"./{n}"}) for n in range(12)]
    async with LLMFake(*calls, Reply("Done.")) as llm:
        async with talking(folder, provider("one", llm.base_url)) as chat:
            await chat.ask("look around")


async def verified(folder: Path) -> list[str]:
    database = await Database.open(folder / "data" / "nanobot.db")
    try:
        return await verify(database, Anchors(folder / "data" / "audit.anchors"))
    finally:
        await database.aclose()


def tamper(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "data" / "nanobot.db")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (
            ("UPDATE audit SET tool = 'clock' WHERE id = 3",),
            "entry 3: it, or the order before it, was changed",
        ),
        (("DELETE FROM audit WHERE id > 2",), "entry 3: entries 3 to 12 are missing at the end"),
        (("DELETE FROM audit WHERE id = 5",), "entry 6: entry 5 is missing before it"),
        (
            (
                "UPDATE audit SET id = 99 WHERE id = 4",
                "UPDATE audit SET id = 4 WHERE id = 5",
                "UPDATE audit SET id = 5 WHERE id = 99",
            ),
            "entry 4: it, or the order before it, was changed",
        ),
        (
            ("UPDATE audit_payload SET result = 'fine' WHERE id = 7",),
            "entry 7: what lies beside it was changed",
        ),
    ],
)
async def test_what_was_done_to_the_rows_is_named(
    tmp_path: Path, tampering: tuple[str, ...], found: str
) -> None:
    await used(tmp_path)
    assert await verified(tmp_path) == []
    tamper(tmp_path, *tampering)
    assert (await verified(tmp_path))[0] == found


async def test_what_lies_beside_may_be_erased(tmp_path: Path) -> None:
    await used(tmp_path)
    tamper(tmp_path, "DELETE FROM audit_payload")
    assert await verified(tmp_path) == []


async def test_an_entry_says_all_of_a_call(tmp_path: Path) -> None:
    await used(tmp_path)
    database = await Database.open(tmp_path / "data" / "nanobot.db")
    entries = await shown(database, SESSION, 50)
    text = await why(database, SESSION, "owner")
    await database.aclose()
    assert len(entries) == 12
    first = entries[0]
    assert (first["tool"], first["arguments"], first["person"], first["model"], first["verdict"], first["trust"]) == (
        "files_list", {"path": "./0"}, "owner", "one/fake-1", "allow", "own",
    )  # fmt: skip
    assert "does not exist" in first["result"]
    assert text.startswith("The last answer is by one/fake-1.")
    assert "- files_list path: ./3 (failed)" in text


def test_a_tail_that_was_cut_off_and_grown_again_is_found() -> None:
    """The numbers go on where the cut was; the anchors still know what stood there."""
    whole = chain(5)
    entry = replace(whole[4].entry, tool="another")
    grown = [*whole[:4], Linked(5, entry, link(whole[3].digest, entry), None)]
    anchors = [Anchor(5, whole[4].digest), Anchor(5, grown[4].digest)]
    assert list(faults(grown, anchors)) == ["entry 5: it is another one than its anchor says"]


async def test_a_long_log_is_read_in_pieces_and_its_end_is_looked_at(tmp_path: Path) -> None:
    await used(tmp_path)
    tamper(tmp_path, "DELETE FROM audit WHERE id > 2")
    assert await verified(tmp_path) == ["entry 3: entries 3 to 12 are missing at the end"]
