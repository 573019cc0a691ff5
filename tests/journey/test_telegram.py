"""What people on Telegram experience: all of the bot, a Bot API stand-in that checks every call, a model's server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.app import App
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.fakes.telegram import TelegramFake
from tests.journey.conversation import provider, running

ANN, STRANGER, FORUM = 42, 77, -1001234


@dataclass
class Scene:
    tg: TelegramFake
    llm: LLMFake
    app: App


@asynccontextmanager
async def scene(
    folder: Path, llm: LLMFake | None = None, people: str = "", more: str = "", **options: bool
) -> AsyncIterator[Scene]:
    """`more` are further lines of the channel's section, `options` those of the stand-in."""
    known = people or f'[people.ann]\nrole = "owner"\ntelegram = {ANN}\n'
    async with TelegramFake(**options) as tg, llm or LLMFake() as model:  # type: ignore[arg-type] # the stand-in's own
        channel = (
            f'[channels.telegram]\ntoken = "{tg.token}"\nbase_url = "{tg.base_url}"\n'
            f'base_file_url = "{tg.base_file_url}"\n{more}'
        )
        async with running(folder, provider("one", model.base_url) + known + channel) as app:
            yield Scene(tg, model, app)


async def invited(s: Scene, chat: int) -> int:
    """Ann has the bot take part in a group; returns how many messages it has written there since."""
    s.tg.user_says(chat, "/start@fake_bot", user_id=ANN)
    await s.tg.wait_for_text(chat, "Hello! I answer here")
    return len(s.tg.answers(chat))


async def test_a_message_is_answered_and_the_menu_is_there(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.tg.user_says(ANN, "hello")
        await s.tg.wait_for_text(ANN, "You said: hello")
        assert len(s.tg.answers(ANN)) == 1
        assert len(s.tg.calls("setMyCommands")) == 1


async def test_markdown_is_shown_as_telegram_shows_it(tmp_path: Path) -> None:
    text = "# Plan\n\n**Bold** and `code` & <tags>\n\n- one\n- two\n\n```python\nprint('<b>')\n```\n"
    async with scene(tmp_path, LLMFake(Reply(text))) as s:
        s.tg.user_says(ANN, "plan")
        shown = await s.tg.wait_for_text(ANN, "Plan")
        assert "Bold and code & <tags>" in shown.text
        assert "print('<b>')" in shown.text
        assert {"bold", "code", "pre"} <= {entity["type"] for entity in shown.entities}
        assert "**" not in shown.text


async def test_a_long_answer_comes_in_pieces_in_order_and_whole(tmp_path: Path) -> None:
    lines = [f"Line {number} of a long story that goes on and on." for number in range(300)]
    text = "```\n" + "\n".join(lines) + "\n```"
    async with scene(tmp_path, LLMFake(Reply(text))) as s:
        s.tg.user_says(ANN, "story")
        await s.tg.wait_for_text(ANN, "Line 299 ")
        pieces = s.tg.answers(ANN)
        assert len(pieces) > 3
        assert [line for piece in pieces for line in piece.text.splitlines() if line] == lines
        assert all(entity["type"] == "pre" for piece in pieces for entity in piece.entities)


async def test_what_telegram_cannot_parse_is_sent_plain(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.tg.faults.error(
            "sendMessage", 400, "Bad Request: can't parse entities: unsupported start tag", times=1
        )
        s.tg.user_says(ANN, "**x**")
        await s.tg.wait_for_text(ANN, "You said: x")
        assert len(s.tg.answers(ANN)) == 1


async def test_two_topics_streaming_at_once_do_not_mix(tmp_path: Path) -> None:
    def slow(word: str) -> Reply:
        return Reply(f"{word} " * 40, pace=Pace(delay=0.2, chunks=40))

    async with scene(tmp_path, LLMFake()) as s:
        s.tg.add_chat(FORUM, "supergroup", is_forum=True)
        s.tg.add_topic(FORUM, 5)
        s.tg.add_topic(FORUM, 6)
        await invited(s, FORUM)
        s.llm.push(slow("apple"), contains="fruit")
        s.llm.push(slow("birch"), contains="tree")
        s.tg.user_says(FORUM, "@fake_bot fruit", user_id=ANN, thread_id=5)
        s.tg.user_says(FORUM, "@fake_bot tree", user_id=ANN, thread_id=6)
        for thread, word in ((5, "apple"), (6, "birch")):
            await s.tg.wait_for(partial(_complete, s, thread, word), 20)
            (message,) = s.tg.answers(FORUM, thread)
            assert len(message.history) >= 2, "it was shown while it was being made"
            assert all(set(shown.text.split()) <= {word, "▌"} for shown in message.history)


def _complete(s: Scene, thread: int, word: str) -> bool | None:
    answers = s.tg.answers(FORUM, thread)
    return (bool(answers) and answers[0].text.count(word) == 40) or None


async def test_a_stranger_gets_one_code_and_after_approval_an_answer(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.tg.user_says(STRANGER, "let me in")
        refusal = await s.tg.wait_for_text(STRANGER, "nanobot pair approve")
        s.tg.user_says(STRANGER, "hello?")
        s.tg.user_says(ANN, "anybody there?")
        await s.tg.wait_for_text(ANN, "You said: anybody there?")
        assert len(s.tg.answers(STRANGER)) == 1
        assert len(s.llm.requests) == 1, "a stranger's words reach no model"
        pairing, person = await s.app.people.approve(refusal.text.split()[-1])
        await s.app.welcome(pairing)
        assert person.role == "user"
        await s.tg.wait_for_text(STRANGER, "You are in.")
        s.tg.user_says(STRANGER, "hello again")
        await s.tg.wait_for_text(STRANGER, "You said: hello again")


async def test_the_first_to_be_let_in_on_a_fresh_install_is_the_owner(tmp_path: Path) -> None:
    async with scene(tmp_path, people="[people]\n") as s:
        for sender, role in ((ANN, "owner"), (STRANGER, "user")):
            s.tg.user_says(sender, "hi")
            shown = await s.tg.wait_for_text(sender, "nanobot pair approve")
            _, person = await s.app.people.approve(shown.text.split()[-1])
            assert person.role == role


async def test_strangers_and_chatter_in_a_group_are_ignored(tmp_path: Path) -> None:
    # An answer that was shown in the making first is an edited message, and stands at nothing.
    async with scene(tmp_path, more="streaming = false\n", privacy=False) as s:
        s.tg.add_chat(-5, "group")
        s.tg.user_says(-5, "/start@fake_bot", user_id=STRANGER)
        s.tg.user_says(-5, "@fake_bot hello", user_id=ANN)
        await s.tg.wait_for_text(-5, "send /start here")
        before = await invited(s, -5)
        s.tg.user_says(-5, "talk among us", user_id=ANN)
        s.tg.user_says(-5, "@fake_bot hello", user_id=STRANGER)
        s.tg.user_says(-5, "@fake_bot hello", user_id=ANN)
        await s.tg.wait_for_text(-5, "You said:")
        assert before == 2, "the way to be invited, and the greeting"
        assert len(s.tg.answers(-5)) == before + 1
        assert len(s.llm.requests) == 1
        assert s.tg.answers(-5)[-1].reply_to is not None


async def test_commands_answer_while_a_turn_runs(tmp_path: Path) -> None:
    async with scene(tmp_path, LLMFake(Reply("late", pace=Pace(hold="go")))) as s:
        s.tg.user_says(ANN, "think")
        await s.llm.until(lambda: s.llm.concurrent == 1)
        s.tg.user_says(ANN, "/status")
        await s.tg.wait_for_text(ANN, "An answer is being made")
        s.tg.user_says(ANN, "/stop")
        await s.tg.wait_for_text(ANN, "Stopped.")
        assert [message.text for message in s.tg.answers(ANN)][1:] == ["⏹ Stopped."]


async def test_flood_control_delays_and_loses_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.tg.faults.error("sendMessage", 429, retry_after=1, times=2)
        s.tg.user_says(ANN, "hello")
        await s.tg.wait_for_text(ANN, "You said: hello", timeout=10)
        assert len(s.tg.answers(ANN)) == 1


async def test_a_send_of_unknown_outcome_is_repeated_with_a_mark(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.tg.faults.drop("sendMessage", when="after", times=1)
        s.tg.user_says(ANN, "hello")
        await s.tg.wait_for(lambda: len(s.tg.answers(ANN)) == 2 or None, 10)
        first, second = s.tg.answers(ANN)
        assert first.text == "You said: hello"
        assert second.text == "🔁 (maybe sent twice)\nYou said: hello"


async def test_a_connection_refused_is_simply_repeated(tmp_path: Path) -> None:
    async with scene(tmp_path, LLMFake(Reply("here", pace=Pace(hold="go")))) as s:
        s.tg.user_says(ANN, "hello")
        await s.llm.until(lambda: s.llm.concurrent == 1)
        async with s.tg.offline():
            s.llm.release("go")
            await asyncio.sleep(0.5)
        await s.tg.wait_for_text(ANN, "here", timeout=15)
        assert [message.text for message in s.tg.answers(ANN)] == ["here"]


async def test_a_user_who_blocked_the_bot_is_recorded_and_not_retried(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.tg.user_says(ANN, "hello")
        s.tg.refuse(ANN, "blocked")
        await s.tg.wait_for(lambda: len(s.tg.calls("sendMessage")) == 1 or None)
        async with asyncio.timeout(30.0):
            while (await s.app.status.report())["outbox"] != {"refused": 1}:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert len(s.tg.calls("sendMessage")) == 1


async def test_a_revoked_token_and_another_poller_are_explained_and_survived(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        await s.tg.wait_for(lambda: s.tg.is_polled or None)
        s.tg.faults.error("getUpdates", 409, "Conflict: terminated by other getUpdates request", times=1)
        s.tg.user_says(ANN, "wake the poll")
        await s.tg.wait_for_text(ANN, "wake the poll", timeout=15)
        status = (await s.app.status.report())["channels"]["telegram"]
        assert "another program" in status["detail"] or status["up"]


async def test_one_stuck_chat_does_not_delay_another(tmp_path: Path) -> None:
    async with scene(tmp_path, LLMFake(Reply("never", pace=Pace(hold="no")))) as s:
        s.tg.user_says(ANN, "stuck")
        await s.llm.until(lambda: s.llm.concurrent == 1)
        s.tg.add_chat(-6, "group")
        await invited(s, -6)
        s.tg.user_says(-6, "@fake_bot quick", user_id=ANN)
        await s.tg.wait_for_text(-6, "quick")
        assert s.llm.concurrent == 1
        s.llm.release("no")
