"""Caps from the configuration file to what a person reads: a loop that ends, a month that outlives a restart, and what
the owner is told.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from providers.types import ChatRequest, Message
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import always, cut_off, provider, talking

PRICE = (
    '[providers.paid.model_info."fake-1"]\ntier = "capable"\nprice = { prompt = 0.0, completion = 100.0 }\n'
)
"""An answer of 1,000 tokens costs ten cents."""
CHAIN = '[roles]\nreasoning = "paid"\n[fallback]\nreasoning = ["paid", "free"]\n'

WORK = ChatRequest((Message("user", "work"),), max_tokens=1000, role="reflection")


def costing(text: str, tokens: int) -> Reply:
    return Reply(text, usage={"prompt_tokens": 100, "completion_tokens": tokens})


def config(paid: LLMFake, free: LLMFake | None = None, limits: str = "", chain: str = CHAIN) -> str:
    parts = [provider("paid", paid.base_url) + PRICE]
    parts += [provider("free", free.base_url) + chain] if free else []
    return "\n".join([*parts, f"[limits]\n{limits}\n", "[agent]\nmax_tokens = 1000\n"])


def ledger(folder: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(folder / "data" / "nanobot.db") as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM ledger ORDER BY id")]
    db.close()
    return rows


def reading(body: dict[str, Any]) -> Reply:
    """A model that reads one file after the other and never comes to an end."""
    asked = sum(message["role"] == "tool" for message in body["messages"])
    return Reply.tool(
        "files_read",
        {"path": f"{asked}.txt"},
        text=f"I look at number {asked}.",
        usage={"prompt_tokens": 100, "completion_tokens": 900},
    )


async def test_a_loop_of_tool_calls_ends_at_what_one_message_may_cost(tmp_path: Path) -> None:
    async with always(reading) as llm:
        async with talking(tmp_path, config(llm, limits="usd_per_turn = 0.5")) as chat:
            heard = await chat.ask("read everything")
            # Five steps of 9 cents each; a sixth might take 10 and go over.
            assert llm.received == 5
            assert heard.answer.startswith("I look at number 4.\n\n")
            assert "$0.45 of $0.50 are gone" in heard.answer
            assert "go on" in heard.answer
            # What comes next is another message, with what this one learned.
            before = llm.received
            await chat.ask("go on")
            assert llm.received == before + 5
            results = [m for m in llm.requests[-1].body["messages"] if m["role"] == "tool"]
            assert len(results) >= 5
    rows = ledger(tmp_path)
    assert len(rows) == 10
    assert {(row["role"], row["outcome"], bool(row["paid"])) for row in rows} == {
        ("reasoning", "answered", True)
    }


async def test_a_limit_in_tokens_ends_a_loop_too(tmp_path: Path) -> None:
    limits = "tokens_per_turn = 30000"
    async with always(reading) as llm, talking(tmp_path, config(llm, limits=limits)) as chat:
        heard = await chat.ask("read everything")
        assert "of 30,000 tokens are gone" in heard.answer
        assert 3 <= llm.received < 30


async def test_work_that_is_handed_on_is_paid_from_the_same_purse(tmp_path: Path) -> None:
    hand_on = Reply.tool(
        "delegate", {"task": "read", "context": "", "expected": ""}, usage={"completion_tokens": 500}
    )
    roles = '[roles]\nreasoning = "main/fake-1"\nrlm = "paid/fake-1"\n'
    async with always(hand_on) as main, always(reading) as runner:
        price = PRICE.replace("paid", "main")
        settings = (
            config(runner, limits="usd_per_turn = 0.5") + provider("main", main.base_url) + price + roles
        )
        async with talking(tmp_path, settings) as chat:
            heard = await chat.ask("read everything")
            # 5 cents for handing on, 9 for each of the runner's steps, and nothing is left for either.
            assert (main.received, runner.received) == (1, 4)
            assert "$0.41 of $0.50 are gone" in heard.answer
    rows = ledger(tmp_path)
    assert [row["role"] for row in rows] == ["reasoning", "rlm", "rlm", "rlm", "rlm"]
    assert len({row["session"] for row in rows}) == 1


async def test_a_turn_that_goes_on_after_a_kill_has_spent_what_it_had(tmp_path: Path) -> None:
    def model(body: dict[str, Any]) -> Reply:
        reply = reading(body)
        return replace(reply, pace=Pace(hold="the kill")) if llm.received == 4 else reply

    async with always(model) as llm:
        settings = config(llm, limits="usd_per_turn = 0.5")
        async with cut_off(tmp_path, settings) as chat:
            await chat.say("read everything")
            async with asyncio.timeout(30.0):
                while llm.received < 4:
                    await asyncio.sleep(0.01)
        async with talking(tmp_path, settings) as chat:
            heard = await chat.hear_answer()
            assert "of $0.50 are gone" in heard.answer
    # Three before it, the one that was cut off, and what was left.
    assert llm.received <= 6


async def test_a_month_of_spending_outlives_a_restart_and_a_kill(tmp_path: Path) -> None:
    async with always(costing("Paid.", 1000)) as paid, always(Reply("Free.")) as free:
        settings = config(paid, free, "usd_per_month = 0.35")
        async with talking(tmp_path, settings) as chat:
            assert (await chat.ask("one")).answer == "Paid."
            assert (await chat.ask("two")).answer == "Paid."
        async with cut_off(tmp_path, settings) as chat:
            assert (await chat.ask("three")).answer == "Paid."
        async with talking(tmp_path, settings) as chat:
            heard = await chat.ask("four")
            assert heard.answer == "Free."
            assert "paid/fake-1 would go over your limit until" in heard.notices[0]
            assert paid.received == 3
        async with talking(tmp_path, settings) as chat:
            assert (await chat.ask("five")).answer == "Free."
    assert paid.received == 3


async def test_a_call_that_a_kill_cut_off_counts_with_the_most_that_it_might_have_cost(
    tmp_path: Path,
) -> None:
    async with always(costing("Paid.", 10)) as paid, always(Reply("Free.")) as free:
        settings = config(paid, free, "usd_per_day = 0.15")
        async with talking(tmp_path, settings) as chat:
            await chat.ask("hello")
        with sqlite3.connect(tmp_path / "data" / "nanobot.db") as db:
            db.execute("UPDATE ledger SET outcome = '', usd = 0.1, completion_tokens = 1000")
        db.close()
        async with talking(tmp_path, settings) as chat:
            assert (await chat.ask("again")).answer == "Free."


async def test_the_owner_reads_once_that_a_limit_is_near_and_once_that_it_is_reached(tmp_path: Path) -> None:
    async with always(costing("Paid.", 1000)) as paid, always(Reply("Free.")) as free:
        settings = config(paid, free, "usd_per_day = 0.55\nwarn_at = 0.7")
        async with talking(tmp_path, settings) as chat:
            for number in range(3):
                assert (await chat.ask(f"{number}")).notices == []
            assert (await chat.ask("near")).notices == ["💰 73% of a limit is used: $0.40 of $0.55 a day."]
        async with talking(tmp_path, settings) as chat:
            assert (await chat.ask("after a restart")).notices == []
            heard = await chat.ask("over")
            assert heard.answer == "Free."
            (notice,) = heard.notices
            assert notice.splitlines()[0].startswith("⚠️ paid/fake-1 would go over your limit until ")
            reached = notice.splitlines()[1]
            assert reached.startswith(
                "💰 A limit is reached: $0.50 of $0.55 a day. Models that cost money rest "
            )
            assert reached.endswith("00:00; free and local ones go on.")
            assert (await chat.ask("once more")).notices == []
        async with talking(tmp_path, settings) as chat:
            assert (await chat.ask("after another")).notices == []


async def test_what_nobodys_message_used_up_is_told_where_the_owner_was_last(tmp_path: Path) -> None:
    async with always(costing("Paid.", 1000)) as paid, always(Reply("Free.")) as free:
        async with talking(tmp_path, config(paid, free, "usd_per_day = 0.35")) as chat:
            await chat.ask("hello")
            for _ in range(2):
                await chat.app.models.chat("reasoning", WORK)
            await chat.app.treasurer.tell()
            heard = await chat.hear()
            assert heard.notices == ["💰 86% of a limit is used: $0.30 of $0.35 a day."]
            await chat.app.treasurer.tell()
            assert (await chat.hear()).notices == []
    with sqlite3.connect(tmp_path / "data" / "nanobot.db") as db:
        (shown,) = db.execute("SELECT shown FROM notice_state WHERE session = '[limits]'").fetchone()
    db.close()
    assert len(json.loads(shown)["told"]) == 1


async def test_a_role_with_a_cap_of_its_own_leaves_the_others_alone(tmp_path: Path) -> None:
    limits = "[limits.roles.rlm]\nusd_per_day = 0.0"
    async with always(costing("Paid.", 10)) as paid, talking(tmp_path, config(paid, limits=limits)) as chat:
        assert (await chat.ask("hello")).answer == "Paid."


async def test_nothing_answers_and_the_reason_is_the_limit(tmp_path: Path) -> None:
    async with always(costing("Paid.", 10)) as paid:
        async with talking(tmp_path, config(paid, limits="usd_per_day = 0.001")) as chat:
            heard = await chat.ask("hello")
            assert "No model can answer right now" in heard.answer
            assert "paid/fake-1 would go over your limit until " in heard.answer
            assert "please write again then" in heard.answer
            assert paid.received == 0


async def test_usage_shows_what_was_asked_and_what_is_left(tmp_path: Path) -> None:
    async with always(costing("Paid.", 1000)) as paid, always(Reply("Free.")) as free:
        limits = "usd_per_day = 1.0\n[limits.roles.reasoning]\ntokens_per_month = 50000"
        async with talking(tmp_path, config(paid, free, limits)) as chat:
            await chat.ask("hello")
            (said,) = (await chat.ask("/usage")).replies
    lines = said.splitlines()
    assert lines[0] == "Today: $0.10 for 1 call; 100 tokens read, 1,000 written."
    assert lines[1].startswith("This month: $0.10 for 1 call;")
    assert lines[3].startswith("- $1.00 a day: $0.90 left, until ")
    assert lines[4].startswith("- 50,000 tokens a month for reasoning: 48,900 left, until ")
    assert lines[-2:] == ["By model, this month:", "- paid/fake-1: $0.10 for 1 call"]
