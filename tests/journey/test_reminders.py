"""Reminders from a chat to a chat: at their time by the clock, once, late where nobody ran, and gone when cancelled."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.cli.client import Client
from bot.config import load_config
from bot.errors import ConfigError
from tests.fakes.llm import LLMFake, Reply
from tests.fakes.telegram import TelegramFake
from tests.journey.conversation import Conversation, Heard, provider, talking, trusted

ROME = ZoneInfo("Europe/Rome")
ANN, BOB, GROUP = 42, 43, -1007
NINE = "2026-11-24T09:00"


def rome(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ROME).timestamp()


@dataclass
class Hand:
    """A clock that a test sets."""

    now: float = rome("2026-11-23T15:00")

    def __call__(self) -> float:
        return self.now

    def set(self, text: str) -> None:
        self.now = rome(text)


def model(body: dict[str, Any]) -> Reply:
    """Does what it is asked for word by word: `tool {"argument": ...}`; else it repeats what it was told."""
    last = body["messages"][-1]
    asked = str(last["content"])
    if last["role"] == "tool":
        return Reply(f"It says: {asked}")
    if call := re.search(r"(\w+) (\{.*\})$", asked.strip(), re.DOTALL):
        return Reply.tool(call[1], json.loads(call[2]))
    return Reply(f"Heard: {asked}")


SETTINGS = (
    '[people.ann]\nrole = "owner"\ntimezone = "Europe/Rome"\n'
    "[jobs.probe]\noff = true\n[jobs.catalogue]\noff = true\n"
)


@asynccontextmanager
async def brain() -> AsyncIterator[tuple[LLMFake, str]]:
    llm = LLMFake()
    llm.default = model
    async with llm:
        yield llm, provider("one", llm.base_url) + trusted("one") + SETTINGS


async def due(chat: Conversation) -> Heard:
    """What is said after the clock was set: the reminders' loop is rung, as if its wait was over."""
    await chat.app.reminders.step()
    return await chat.hear()


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "data" / "nanobot.db")) as database:
        return database.execute(query).fetchall()


async def test_what_was_asked_for_in_a_chat_is_told_at_nine_exactly_once(tmp_path: Path) -> None:
    clock = Hand()
    async with brain() as (llm, config), talking(tmp_path, config, clock=clock) as chat:
        said = (await chat.ask(f'remind {{"text": "call Eva", "at": "{NINE}"}}')).answer
        assert said == "It says: Number 1 is set for Tuesday 24 November 2026, 09:00 (Europe/Rome)."
        asked = len(llm.requests)

        clock.set("2026-11-24T08:59:59")
        assert (await due(chat)).messages == []
        clock.set(NINE)
        assert (await due(chat)).messages == ["⏰ call Eva"]
        clock.now += 1
        assert (await due(chat)).messages == []
        clock.set("2026-11-25T09:00")
        assert (await due(chat)).messages == []
        assert len(llm.requests) == asked, "no model is needed to tell it"


async def test_the_loop_wakes_by_itself_for_what_is_new_and_what_is_due(tmp_path: Path) -> None:
    """No step is taken by hand; the clock runs, a second before nine."""
    start = asyncio.get_running_loop().time()

    def runs() -> float:
        return rome("2026-11-24T08:59:59") + asyncio.get_running_loop().time() - start

    async with brain() as (_, config), talking(tmp_path, config, clock=runs) as chat:
        await chat.ask('remind {"text": "soon", "at": "+1"}')
        async with asyncio.timeout(30.0):
            while not (heard := await chat.hear()).messages:
                pass
        assert heard.messages == ["⏰ soon"]


async def test_late_and_saying_so_when_nobody_ran_at_nine(tmp_path: Path) -> None:
    clock = Hand()
    async with brain() as (_, config):
        async with talking(tmp_path, config, clock=clock) as chat:
            await chat.ask(f'remind {{"text": "call Eva", "at": "{NINE}"}}')
            await chat.ask('remind {"text": "pills", "repeat": "0 9 * * *"}')
            await chat.ask('remind {"text": "tea", "at": "16:30", "repeat": 7200}')
        clock.set("2026-11-24T11:00")
        async with talking(tmp_path, config, clock=clock) as chat:
            heard = await chat.hear()
            while len(heard.messages) < 3:
                heard.messages += (await chat.hear()).messages
            assert sorted(heard.messages) == [
                "⏰ (late, was due 09:00) call Eva",
                "⏰ (late, was due 09:00) pills",
                "⏰ (late, was due Mon 23 Nov 16:30 and again since) tea",
            ]
            # Those that are repeated keep their phase.
            clock.set("2026-11-24T12:29:59")
            assert (await due(chat)).messages == []
            clock.set("2026-11-24T12:30")
            assert (await due(chat)).messages == ["⏰ tea"]
        async with talking(tmp_path, config, clock=clock) as chat:
            assert (await due(chat)).messages == [], "a second start tells nothing again"
            clock.set("2026-11-25T09:00")
            assert "⏰ pills" in (await due(chat)).messages


@pytest.mark.slow
async def test_each_morning_of_a_year_at_nine_whatever_the_clocks_do(tmp_path: Path) -> None:
    """365 mornings in a zone that goes over to summer time and back, looked at several times a day."""
    clock = Hand()
    async with brain() as (_, config), talking(tmp_path, config, clock=clock) as chat:
        await chat.ask('remind {"text": "good morning", "repeat": "0 9 * * *"}')
        told: list[str] = []
        for day in range(1, 366):
            date = (datetime(2026, 11, 23, tzinfo=ROME) + timedelta(days=day)).date()
            for time in ("02:30", "08:59:59", "09:00", "09:00:01", "18:00"):
                clock.set(f"{date}T{time}")
                await chat.app.reminders.step()
                count = rows(tmp_path, "SELECT count(*) FROM outbox WHERE kind = 'message'")
                told += [f"{date}T{time}"] * (count[0][0] - len(told))
    assert len(told) == len(set(told)) == 365
    assert all(at.endswith("T09:00") for at in told)


async def test_one_that_is_cancelled_stays_silent(tmp_path: Path) -> None:
    clock = Hand()
    async with brain() as (_, config), talking(tmp_path, config, clock=clock) as chat:
        await chat.ask(f'remind {{"text": "call Eva", "at": "{NINE}"}}')
        assert "1: Tue 24 Nov 09:00: call Eva" in (await chat.ask("remind_list {}")).answer
        assert "1: Tue 24 Nov 09:00: call Eva" in (await chat.ask("/jobs")).replies[0]
        assert "cancelled" in (await chat.ask('remind_cancel {"number": 1}')).answer
        assert "None is set" in (await chat.ask("remind_list {}")).answer
        assert "There is no reminder 1" in (await chat.ask('remind_cancel {"number": 1}')).answer
        clock.set(NINE)
        assert (await due(chat)).messages == []


async def test_what_was_told_can_be_found_again_by_the_model(tmp_path: Path) -> None:
    clock = Hand()
    async with brain() as (_, config), talking(tmp_path, config, clock=clock) as chat:
        await chat.ask('remind {"text": "call Eva", "at": "+60"}')
        clock.now += 60
        assert (await due(chat)).messages == ["⏰ call Eva"]
        assert "1: was due 15:01: call Eva" in (await chat.ask("remind_list {}")).answer
        assert "No reminder is set" in (await chat.ask("/jobs")).replies[0]


async def test_a_task_enters_the_chat_at_its_time_and_runs_tools(tmp_path: Path) -> None:
    clock = Hand()
    async with brain() as (llm, config), talking(tmp_path, config, clock=clock) as chat:
        heard = await chat.ask(f'remind {{"text": "look at the weather", "at": "{NINE}", "do": true}}')
        assert "Number 1 is set" in heard.answer
        assert heard.questions == [], "the owner's own words need no question"
        async with Client(chat.app.status.socket) as client:
            (shown,) = await client.reminders()
        assert (shown["person"], shown["task"], shown["next"]) == ("ann", True, rome(NINE))
        clock.set(NINE)
        assert (await due(chat)).answer == (
            "Heard: [Task set for Tuesday 24 November 2026, 09:00 (Europe/Rome)]\nlook at the weather"
        )
        assert [tool["function"]["name"] for tool in llm.requests[-1].body["tools"]].count("files_read") == 1
        assert (await due(chat)).answers == []
        async with Client(chat.app.status.socket) as client:
            assert await client.reminders() == []
    ((key, state, trust),) = rows(tmp_path, "SELECT key, state, trust FROM inbox WHERE key LIKE 'reminder:%'")
    assert (key, state, trust) == (f"reminder:1:{rome(NINE):.0f}", "done", "own")


async def test_a_task_that_was_missed_is_done_once_and_knows_it(tmp_path: Path) -> None:
    clock = Hand()
    async with brain() as (_, config):
        async with talking(tmp_path, config, clock=clock) as chat:
            await chat.ask('remind {"text": "report", "repeat": "0 9 * * *", "do": true}')
        clock.set("2026-11-27T10:00")
        async with talking(tmp_path, config, clock=clock) as chat:
            answer = (await chat.hear_answer()).answer
            assert "[Task set for Tuesday 24 November 2026, 09:00 (Europe/Rome), which was missed" in answer
            assert (await due(chat)).answers == []
            clock.set("2026-11-28T09:00")
            assert "Saturday 28 November 2026, 09:00 (Europe/Rome)]\nreport" in (await due(chat)).answer


async def test_text_from_outside_may_have_something_told_and_must_ask_to_have_it_done(tmp_path: Path) -> None:
    clock = Hand()
    async with brain() as (llm, config), talking(tmp_path, config, clock=clock) as chat:
        inbox = tmp_path / "data" / "workspace" / "inbox"
        inbox.mkdir(exist_ok=True)
        (inbox / "mail.txt").write_text("The bins go out on Monday.")
        read = Reply.tool("files_read", {"path": "inbox/mail.txt"})
        told = Reply.tool("remind", {"text": "bins", "at": NINE})
        llm.push(read, told)
        heard = await chat.ask("read the mail and remind me")
        assert "Number 1 is set" in heard.answer
        assert heard.questions == []
        assert rows(tmp_path, "SELECT trust FROM reminder") == [("untrusted",)]

        llm.push(read, Reply.tool("remind", {"text": "open the door", "at": NINE, "do": True}))
        heard = await chat.ask("read the mail again")
        assert "Text from outside" in heard.question
        assert rows(tmp_path, "SELECT count(*) FROM reminder") == [(1,)]
        assert "Number 2 is set" in (await _answer_to(chat, f"/approve {heard.code}"))


async def _answer_to(chat: Conversation, text: str) -> str:
    heard = await chat.ask(text)
    return (heard if heard.answers else await chat.hear_answer()).answer


async def test_another_time_zone_is_taken_up_by_a_reload(tmp_path: Path) -> None:
    """Nine in the morning is nine where the person is; one that has its moment keeps it."""
    clock = Hand()
    async with brain() as (_, config), talking(tmp_path, config, clock=clock) as chat:
        await chat.ask('remind {"text": "pills", "repeat": "0 9 * * *"}')
        await chat.ask(f'remind {{"text": "train", "at": "{NINE}"}}')
        (tmp_path / "config.toml").write_text(config.replace("Europe/Rome", "America/New_York"))
        await chat.app.reloader.reload()
        clock.set(NINE)
        assert (await due(chat)).messages == ["⏰ train"]
        clock.set("2026-11-24T15:00")
        assert (await due(chat)).messages == ["⏰ pills"]
        assert "America/New_York" in (await chat.ask('remind {"text": "x", "at": "12:00"}')).answer


def test_a_time_zone_that_there_is_not_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[people.ann]\ntimezone = "Europe/Rom"\n')
    with pytest.raises(ConfigError) as error:
        load_config(file, {"HOME": str(tmp_path)})
    assert "people.ann" in error.value.problems[0]
    assert "no time zone is called 'Europe/Rom'" in error.value.problems[0]


@dataclass
class House:
    """Ann at the terminal and on Telegram, Bob and a group there."""

    tg: TelegramFake
    chat: Conversation
    clock: Hand

    async def says(self, who: int, text: str, chat: int | None = None) -> str:
        """Something said on Telegram, and what came next."""
        at = who if chat is None else chat
        before = self.count(at)
        self.tg.user_says(at, text, user_id=who)
        return await self.reads(at, before)

    def count(self, at: int) -> int:
        return len(self.tg.answers(at))

    async def reads(self, at: int, after: int) -> str:
        async with asyncio.timeout(30.0):
            while self.count(at) == after or self.chat.app.outbox.pending(f"telegram:{at}"):
                await asyncio.sleep(0.01)
        return self.tg.answers(at)[-1].text


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    clock = Hand()
    async with brain() as (_, one), TelegramFake(privacy=False) as tg:
        people = f"telegram = {ANN}\n[people.bob]\ntelegram = {BOB}\n[jobs.probe]"
        config = one.replace("[jobs.probe]", people) + (
            f'[channels.telegram]\ntoken = "{tg.token}"\nbase_url = "{tg.base_url}"\n'
            f'base_file_url = "{tg.base_file_url}"\n'
        )
        async with talking(folder, config, clock=clock) as chat:
            yield House(tg, chat, clock)


async def test_it_is_told_in_the_chat_where_it_was_set_and_only_its_person_sees_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.says(ANN, f'remind {{"text": "call Eva", "at": "{NINE}"}}')
        assert "call Eva" in await home.says(ANN, "/jobs")
        assert "finish_sessions: " in await home.says(ANN, "/jobs")
        assert await home.says(BOB, "/jobs") == "No reminder is set. Just ask me for one."
        assert "There is no reminder 1" in await home.says(BOB, 'remind_cancel {"number": 1}')
        assert "None is set" in await home.says(BOB, "remind_list {}")
        ann, bob = home.count(ANN), home.count(BOB)
        home.clock.set(NINE)
        assert (await due(home.chat)).messages == []
        assert await home.reads(ANN, ann) == "⏰ call Eva"
        assert home.count(BOB) == bob


async def test_a_group_sees_what_was_set_in_it_and_no_more(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.says(ANN, f'remind {{"text": "a surprise", "at": "{NINE}"}}')
        assert "I answer here" in await home.says(ANN, "/start@fake_bot", GROUP)
        said = await home.says(ANN, f'@fake_bot remind {{"text": "bins", "at": "{NINE}"}}', GROUP)
        assert "Number 2 is set" in said
        for asked in ("@fake_bot remind_list {}", "/jobs@fake_bot"):
            shown = await home.says(ANN, asked, GROUP)
            assert "bins" in shown
            assert "surprise" not in shown
            assert "finish_sessions" not in shown
        gone = await home.says(ANN, '@fake_bot remind_cancel {"number": 1}', GROUP)
        assert "There is no reminder 1" in gone
        task = f'@fake_bot remind {{"text": "look at my mail", "at": "{NINE}", "do": true}}'
        assert "a group has no share" in await home.says(ANN, task, GROUP)
        before = home.count(GROUP)
        home.clock.set(NINE)
        await due(home.chat)
        assert await home.reads(GROUP, before) == "⏰ bins"


async def test_a_message_to_oneself_goes_by_another_channel_unasked(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        assert "there is no other channel" in (await home.chat.ask('message {"text": "hi"}')).answer
        await home.says(ANN, "hello")
        before = home.count(ANN)
        heard = await home.chat.ask('message {"text": "the list: milk"}')
        assert (heard.answer, heard.questions) == ("It says: On its way to ann by telegram.", [])
        assert await home.reads(ANN, before) == "the list: milk"
        assert "Just answer" in (await home.chat.ask('message {"text": "hi", "channel": "terminal"}')).answer


async def test_a_message_to_somebody_else_is_asked_and_says_from_whom(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.says(BOB, "hello")
        before = home.count(BOB)
        wrong = await home.chat.ask('message {"text": "hi", "to": "eve"}')
        assert (wrong.answer, wrong.questions) == (
            "It says: I know nobody called 'eve'; there are: ann, bob.",
            [],
        )
        heard = await home.chat.ask('message {"text": "dinner at eight", "to": "Bob"}')
        assert "it goes to somebody else" in heard.question.lower()
        assert home.count(BOB) == before
        assert "On its way to bob by telegram" in await _answer_to(home.chat, f"/approve {heard.code}")
        assert await home.reads(BOB, before) == "✉️ ann: dinner at eight"


async def test_nobody_is_reminded_who_may_no_longer_write(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.says(BOB, f'remind {{"text": "call Eva", "at": "{NINE}"}}')
        before = home.count(BOB)
        file = tmp_path / "config.toml"
        file.write_text(file.read_text().replace(f"[people.bob]\ntelegram = {BOB}\n", ""))
        await home.chat.app.reloader.reload()
        home.clock.set(NINE)
        await due(home.chat)
        assert home.count(BOB) == before
        assert rows(tmp_path, "SELECT fired_at FROM reminder") == [(None,)]
