"""Who somebody is: by the configuration, by codes, and never by what they call themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from bot.config import PersonSettings
from bot.errors import BotError
from bot.gateway.linking import Tries, cleaned
from bot.gateway.people import OWNER, People, Person, Roster
from bot.safety.rules import Role
from bot.storage import people as rows
from bot.storage import sessions
from bot.storage.database import Database
from bot.storage.tables import Pairing
from channels.types import Address

ANN, BEN = Person("ann", Role.OWNER), Person("ben", Role.USER)
NOBODY = Roster(Person(OWNER, Role.OWNER), {}, {})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


async def people(database: Database, roster: Roster = NOBODY) -> People:
    made = People(database, roster, lambda: 100.0)
    await made.load()
    return made


async def let_in(known: People, database: Database, sender: str, called: str = "", name: str = "") -> Person:
    """Somebody wrote, was shown a code, and is approved."""
    pairing = Pairing(
        code=f"CODE{sender}",
        channel="chat",
        sender=sender,
        sender_name=called,
        chat=sender,
        created_at=100.0,
        expires_at=200.0,
    )
    await database.write(partial(rows.offer, pairing=pairing, replies=[], most=20))
    return (await known.approve(pairing.code, name))[1]


async def test_the_first_is_the_owner_and_others_are_users_by_names_of_their_own(database: Database) -> None:
    known = await people(database)
    assert await let_in(known, database, "1", "Ann") == Person(OWNER, Role.OWNER)
    assert await let_in(known, database, "2", "Ben!") == BEN
    assert await let_in(known, database, "3", "Ben") == Person("ben-2", Role.USER)
    assert await let_in(known, database, "4", "Владимир") == Person("chat", Role.USER)
    assert (await people(database)).identify("chat", "3") == Person("ben-2", Role.USER)


@pytest.mark.parametrize("name", ["ann", "ben"])
async def test_who_is_known_is_not_approved_a_second_time(database: Database, name: str) -> None:
    known = await people(database, Roster(ANN, {("mail", "a"): ANN, ("mail", "b"): BEN}, {}))
    with pytest.raises(BotError, match=rf"{name} writes on mail already.*/link"):
        await let_in(known, database, "1", name=name)
    assert known.identify("chat", "1") is None


async def test_a_stranger_who_calls_himself_like_somebody_gets_another_name(database: Database) -> None:
    roster = Roster(ANN, {("mail", "a"): ANN}, {"carl": PersonSettings()})
    known = await people(database, roster)
    assert (await let_in(known, database, "1", "Carl")).name == "carl-2"
    assert (await let_in(known, database, "2", "Dan")).name == "dan"
    await known.unlink("chat", "2")
    assert (await let_in(known, database, "3", "Dan")).name == "dan-2", "Dan's memory is still there"
    assert (await let_in(known, database, "4", name="carl")) == Person("carl", Role.USER)


async def test_the_configuration_decides_the_role_of_whom_it_names(database: Database) -> None:
    known = await people(database, Roster(ANN, {}, {"ann": PersonSettings(role="owner")}))
    assert await let_in(known, database, "1", name="ann") == ANN
    eve = Person("eve", Role.OWNER)
    known.adopt(Roster(eve, {("mail", "e"): eve}, {"ann": PersonSettings(role="user")}))
    assert known.identify("chat", "1") == Person("ann", Role.USER)
    assert known.role_of("ann") is Role.USER


async def test_a_chat_of_an_unlinked_sender_is_nobodys_until_they_write(database: Database) -> None:
    known = await people(database, Roster(ANN, {("mail", "a"): ANN}, {}))
    ben = await let_in(known, database, "2", "Ben")
    touch = partial(sessions.touch, address=Address("chat", "2"), private=True)
    await database.write(partial(touch, person=ben.name, now=1.0))
    assert len(await database.read(partial(sessions.private_of, person="ben"))) == 1
    assert await known.unlink("chat", "2") == BEN
    assert await database.read(partial(sessions.private_of, person="ben")) == []
    assert known.identify("chat", "2") is None
    assert (await people(database)).identify("chat", "2") is None
    await database.write(partial(touch, person="carl", now=2.0))
    assert len(await database.read(partial(sessions.private_of, person="carl"))) == 1


async def test_what_can_not_be_unlinked_says_why(database: Database) -> None:
    known = await people(database, Roster(ANN, {("mail", "a"): ANN}, {}))
    with pytest.raises(BotError, match=r"take it out of \[people.ann\]"):
        await known.unlink("mail", "a")
    with pytest.raises(BotError, match="nobody is known as 'b' on 'mail'"):
        await known.unlink("mail", "b")


async def test_a_language_is_the_chosen_one_else_the_configured_one(database: Database) -> None:
    roster = Roster(ANN, {}, {"ben": PersonSettings(language="German")})
    known = await people(database, roster)
    assert [known.language(name) for name in ("ann", "ben", "carl")] == ["", "German", ""]
    await database.write(partial(rows.choose_language, person="ben", language=""))
    await database.write(partial(rows.choose_language, person="ann", language="Welsh"))
    again = await people(database, roster)
    assert [again.language(name) for name in ("ann", "ben")] == ["Welsh", ""]


def test_few_wrong_codes_for_one_and_for_all_within_ten_minutes() -> None:
    tries = Tries()
    for _ in range(5):
        assert tries.allowed(("chat", "1"), 0.0)
        tries.wrong(("chat", "1"), 0.0)
    assert not tries.allowed(("chat", "1"), 599.0)
    assert tries.allowed(("mail", "1"), 599.0)
    assert tries.allowed(("chat", "1"), 600.0)
    for number in range(30):
        tries.wrong(("chat", str(number)), 700.0)
    assert not tries.allowed(("mail", "new"), 701.0)
    assert tries.allowed(("mail", "new"), 1300.0)


@pytest.mark.parametrize("typed", ["ABCD2345", "abcd2345", "`ABCD2345`", "ABCD2345.", "ABCD-2345 thanks"])
def test_a_code_is_read_however_it_was_copied(typed: str) -> None:
    assert cleaned(typed) == "ABCD2345"
