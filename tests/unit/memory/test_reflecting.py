"""What becomes of conversations that are over: observed once, reflected on once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from bot.memory.facts import Change
from bot.memory.memory import Memory
from bot.safety.redaction import Redactor
from bot.storage import memory as rows
from bot.storage import sessions
from bot.storage.database import Database, Transaction
from bot.storage.memory import Search
from bot.storage.tables import Inbox, Message, Observation, Turn, TurnState
from channels.types import Address
from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from tests.fakes.llm import LLMFake, Reply

HERE = Address("telegram", "1")
HOUR = 3600.0
DAY = 24 * HOUR
NOON = 1_790_000_000.0
SECRET = "sk-very-secret-key"


@dataclass
class Room:
    """Memory with its database, its model, and a clock that stands still."""

    memory: Memory
    database: Database
    models: ModelClient
    llm: LLMFake
    now: float = NOON

    async def said(
        self,
        *texts: str,
        person: str = "ann",
        at: Address = HERE,
        private: bool = True,
        state: TurnState = TurnState.DONE,
        trust: str = "own",
        task: bool = False,
    ) -> int:
        """One turn: what the person said and the bot answered by turns."""

        def write(s: Transaction) -> int:
            sessions.touch(s, at, person, private=private, now=self.now)
            turn = Turn(
                session=str(at),
                person=person,
                state=state,
                path=[],
                started_at=self.now,
                task={"task": "t"} if task else None,
            )
            s.add(turn)
            s.flush()
            for number, text in enumerate(texts):
                role = "assistant" if number % 2 else "user"
                s.add(
                    Message(
                        session=str(at),
                        turn=turn.id or 0,
                        role=role,
                        content=text,
                        trust=trust,
                        created_at=self.now,
                    )
                )
            return turn.id or 0

        return await self.database.write(write)

    async def end(self, turn: int) -> None:
        def write(s: Transaction) -> None:
            s.get_one(Turn, turn).state = TurnState.DONE

        await self.database.write(write)

    async def observed(self) -> list[Observation]:
        """Look at what is over by now; returns everything that was ever observed and not struck."""
        self.now += HOUR
        await self.memory.observe(1800.0)
        return await self.database.read(lambda s: list(s.exec(select(Observation)).all()))

    async def reflect(self, *changes: dict[str, Any]) -> str:
        self.llm.push(Reply(json.dumps(changes)))
        return await self.memory.reflect_if_possible("ann", self.models)

    def facts(self, person: str = "ann") -> str:
        return self.memory.keeper.read(person)

    async def found(self, words: str, person: str = "ann", **more: Any) -> list[str]:
        wanted = Search(person, words, **more)
        return [hit.snippet for hit in await self.database.read(lambda s: rows.search(s, wanted, 8))]


@asynccontextmanager
async def opened(folder: Path, *replies: Reply) -> AsyncIterator[Room]:
    async with LLMFake(*replies) as llm:
        settings = ProviderSettings(api_base=llm.base_url, default_model="fake-1")
        database = await Database.open(folder / "nanobot.db")
        models = ModelClient(Catalog.of({"one": settings}))
        place: Room
        memory = Memory(database, folder, lambda: place.now, Redactor([SECRET]))
        place = Room(memory, database, models, llm)
        try:
            yield place
        finally:
            await models.aclose()
            await database.aclose()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with opened(tmp_path) as opened_room:
        yield opened_room


def add(text: str) -> dict[str, Any]:
    return {"kind": "add", "new": text}


async def test_a_conversation_is_observed_once_it_is_over_and_reflected_on_once(room: Room) -> None:
    await room.said("I live in Rome", "Nice!")
    assert await room.memory.observe(1800.0) == 0
    (one,) = await room.observed()
    assert (one.person, one.at, one.text) == ("ann", NOON, "Person: I live in Rome\nAssistant: Nice!")
    assert (
        await room.reflect(add("Lives in Rome")) == "ann: 1 facts changed from 1 conversations, by one/fake-1"
    )
    assert await room.memory.observe(1800.0) == 0
    assert await room.memory.reflect_if_possible("ann", room.models) == ""
    assert room.llm.received == 1
    assert "- Lives in Rome <!-- 2026-09-21, telegram; observation 1 -->" in room.facts()


async def test_two_reflections_at_once_ask_once(room: Room) -> None:
    await room.said("I live in Rome")
    await room.observed()
    room.llm.push(Reply(json.dumps([add("Lives in Rome")])), Reply(json.dumps([add("Ann is in Rome")])))
    await asyncio.gather(*(room.memory.reflect_if_possible("ann", room.models) for _ in range(3)))
    assert room.llm.received == 1
    assert room.facts().count("Rome") == 1


async def test_edits_and_requests_while_the_model_thinks_survive(room: Room) -> None:
    await room.memory.remember("ann", "Likes tea", "asked")
    await room.said("I moved to Oslo")
    await room.observed()

    def meanwhile(_: dict[str, Any]) -> Reply:
        file = room.memory.keeper.file("ann")
        file.write_text("# Mine\n- Likes coffee\n- Has a cat\n")
        return Reply(
            json.dumps([add("Lives in Oslo"), {"kind": "change", "old": "Likes tea", "new": "Hates tea"}])
        )

    room.llm.push(meanwhile)
    thinking = asyncio.ensure_future(room.memory.reflect_if_possible("ann", room.models))
    await room.memory.remember("ann", "Has a dog", "asked")
    await thinking
    text = room.facts()
    assert text.startswith("# Mine\n- Likes coffee\n- Has a cat\n")
    assert "- Lives in Oslo" in text
    assert "tea" not in text


async def test_secrets_get_neither_into_observations_nor_into_facts(room: Room) -> None:
    await room.said(f"my key is {SECRET}")
    (one,) = await room.observed()
    assert SECRET not in one.text
    await room.reflect(add(f"Uses {SECRET}"), add("Has a key"))
    assert SECRET not in room.facts()
    assert "Has a key" in room.facts()
    applied = await room.memory.remember("ann", f"The key is {SECRET}", "asked")
    assert applied.left_out == ("it holds a key or password",)


async def test_what_was_forgotten_does_not_come_back_by_reflection(room: Room) -> None:
    await room.said("my dog is called Rex", "Noted", "I like tea")
    await room.observed()
    await room.said("my dog Rex is ill")
    await room.memory.remember("ann", "Has a dog called Rex", "asked")
    assert await room.memory.forget("ann", "dog rex") == ["Has a dog called Rex"]
    await room.said("tea again")
    texts = [one.text for one in await room.observed()]
    assert texts == ["Assistant: Noted\nPerson: I like tea", "Person: tea again"]
    await room.said("we have a new dog")
    assert "new dog" in (await room.observed())[-1].text


async def test_a_turn_that_waits_holds_up_what_follows_it_and_is_seen_later(room: Room) -> None:
    await room.said("I like tea")
    waiting = await room.said("I have a dog", state=TurnState.WAITING)
    await room.said("I live in Rome")
    assert [one.text for one in await room.observed()] == ["Person: I like tea"]
    assert len(await room.observed()) == 1
    await room.end(waiting)
    assert [one.text for one in await room.observed()][1:] == ["Person: I have a dog\nPerson: I live in Rome"]


async def test_what_workers_did_and_delivered_is_nobodys_word(room: Room) -> None:
    await room.said("Find out where the person lives", "In Rome.", task=True)
    turn = await room.said("[Task 1 is done]\nRome", "Your task is done.")

    def deliver(s: Transaction) -> None:
        text = "[Task 1 is done]\nRome"
        s.add(
            Inbox(
                channel="telegram",
                key="task:1",
                session=str(HERE),
                person="ann",
                text=text,
                sent_at=0.0,
                received_at=0.0,
                turn=turn,
            )
        )

    await room.database.write(deliver)
    assert await room.observed() == []
    assert await room.found("where person lives") == []


async def test_each_person_of_a_chat_keeps_their_own(room: Room) -> None:
    """The owner was "owner" until they gave themselves a name; another may come to sit at the terminal."""
    await room.said("I like tea", person="owner")
    await room.said("I like coffee", person="ann")
    assert [(one.person, one.text) for one in await room.observed()] == [
        ("owner", "Person: I like tea"),
        ("ann", "Person: I like coffee"),
    ]
    assert await room.found("like") == ["I **like** coffee"]


async def test_groups_are_not_observed_and_not_searched(room: Room) -> None:
    await room.said("I like tea", at=Address("telegram", "-7"), private=False)
    assert await room.observed() == []
    assert await room.found("tea") == []


@pytest.mark.parametrize("reply", [Reply(""), Reply("I think nothing."), Reply('[{"kind": "burn"}]')])
async def test_a_bad_reply_changes_nothing_and_is_not_asked_for_all_day(room: Room, reply: Reply) -> None:
    await room.memory.remember("ann", "Likes tea", "asked")
    before = room.facts()
    for number in range(12):
        await room.said(f"I said {number}")
        await room.observed()
    assert await room.memory.gathered() == ["ann"]
    room.llm.default = reply
    assert "nothing came of it" in await room.memory.reflect_if_possible("ann", room.models)
    asked = room.llm.received
    assert room.facts() == before
    assert await room.memory.gathered() == []
    room.now += 7 * HOUR
    assert await room.memory.gathered() == ["ann"]
    assert room.llm.received == asked


async def test_little_waits_for_the_night_and_much_does_not(room: Room) -> None:
    await room.said("I like tea")
    await room.observed()
    assert (await room.memory.waiting(), await room.memory.gathered()) == (["ann"], [])
    for _ in range(2):
        await room.said("I wrote a story: " + "x" * 6000)
        await room.observed()
    assert await room.memory.gathered() == ["ann"]


async def test_where_no_model_can_do_it_none_is_asked(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        await room.said("I like tea")
        await room.observed()
        nobody = ModelClient(Catalog.of({}))
        assert "nothing came of it" in await room.memory.reflect_if_possible("ann", nobody)
        await nobody.aclose()
        assert await room.memory.waiting() == ["ann"]


async def test_a_very_long_file_makes_no_longer_question_and_no_prompt(room: Room) -> None:
    text = "".join(f"- Fact number {number} {'x' * 80}\n" for number in range(2000))
    await room.memory.keeper.change("ann", [Change("add", new="Likes tea")], "asked")
    room.memory.keeper.file("ann").write_text(text)
    await room.said("I like tea")
    await room.observed()
    await room.reflect(add("Likes tea"))
    asked = room.llm.requests[-1].body["messages"][-1]["content"]
    assert len(asked) < 30_000
    assert "Fact number 1999" in asked
    assert room.facts() == f"{text}- Likes tea <!-- 2026-09-21, telegram; observation 1 -->\n"
    assert len(room.memory.prompt("ann")) < 6_300
    assert len(room.memory.known("ann")) < 3_500


async def test_lessons_are_told_once_they_repeat_and_are_bounded(room: Room) -> None:
    for number in range(9):
        for _ in range(number + 1):
            await room.memory.learn("shell", f"failed in way {number} {'x' * 150}")
    told = room.memory.prompt("bob")
    assert told.count("shell") == 5
    assert "way 8" in told
    assert "way 0" not in told


async def test_a_lesson_that_cannot_be_stored_fails_nothing(room: Room) -> None:
    await room.database.aclose()
    await room.memory.learn("shell", "was stopped")


async def test_what_was_said_is_found_by_words_their_beginnings_and_days(room: Room) -> None:
    turn = await room.said("my sister Änne lives in Köln", "Köln is nice", "tea")
    room.now += 2 * DAY
    await room.said("sisters and brothers")
    assert await room.found("ANNE koln") == ["my sister **Änne** lives in **Köln**"]
    assert await room.found("siste") == ["**sisters** and brothers", "my **sister** Änne lives in Köln"]
    assert await room.found("sister", until=NOON + DAY) == ["my **sister** Änne lives in Köln"]
    assert await room.found("sister", since=NOON + DAY) == ["**sisters** and brothers"]
    assert await room.found("tea", but=turn) == []
    assert await room.found('"*) NEAR(') == []
