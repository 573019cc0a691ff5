"""What a person at the terminal experiences of a turn, with a server that speaks the real protocol behind it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import always, provider, talking


def spoken(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"] or "") for message in body["messages"][1:]]


async def test_an_answer_and_the_history_of_the_next(tmp_path: Path) -> None:
    async with LLMFake(Reply("Hello Ann.")) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        heard = await chat.ask("I am Ann")
        assert (heard.answer, heard.notices) == ("Hello Ann.", [])
        await chat.ask("who am I?")
        assert spoken(llm.requests[-1].body) == [
            ("user", "I am Ann"),
            ("assistant", "Hello Ann."),
            ("user", "who am I?"),
        ]


async def test_new_leaves_the_transcript_and_empties_the_context(tmp_path: Path) -> None:
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.ask("a secret")
        assert "new conversation" in (await chat.ask("/new")).answer
        await chat.ask("hello")
        assert spoken(llm.requests[-1].body) == [("user", "hello")]
    with sqlite3.connect(tmp_path / "data" / "nanobot.db") as database:
        assert database.execute("SELECT count(*) FROM message WHERE content = 'a secret'").fetchone() == (1,)
    database.close()


async def test_a_tool_is_run_and_its_result_answered(tmp_path: Path) -> None:
    call = Reply.tool("files_write", {"path": "note.txt", "text": "milk"})
    async with (
        LLMFake(call, Reply("Noted.")) as llm,
        talking(tmp_path, provider("one", llm.base_url)) as chat,
    ):
        assert (await chat.ask("note: milk")).answer == "Noted."
        assert (tmp_path / "data" / "workspace" / "note.txt").read_text() == "milk"
        assistant, tool = llm.requests[-1].body["messages"][-2:]
        assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"]
        assert tool["content"] == "Wrote 4 characters to note.txt."


async def test_the_same_pure_call_in_a_row_is_answered_from_the_record_and_ended(tmp_path: Path) -> None:
    (tmp_path / "data" / "workspace").mkdir(parents=True)
    (tmp_path / "data" / "workspace" / "a.txt").write_text("first")

    def model(body: dict[str, Any]) -> Reply:
        (tmp_path / "data" / "workspace" / "a.txt").write_text("changed")
        return Reply.tool("files_read", {"path": "a.txt"}) if body.get("tools") else Reply("Enough.")

    async with always(model) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        (tmp_path / "data" / "workspace" / "a.txt").write_text("first")
        assert (await chat.ask("read it")).answer == "Enough."
        results = [m["content"] for m in llm.requests[-1].body["messages"] if m["role"] == "tool"]
        assert results == ["changed"] * 3
        assert "tools" not in llm.requests[-1].body
        assert llm.requests[-1].body["messages"][-1]["content"].startswith("Use no more tools")


async def test_a_turn_that_is_ended_early_says_how_many_steps_it_took(tmp_path: Path) -> None:
    async with (
        always(Reply.tool("clock", {})) as llm,
        talking(tmp_path, provider("one", llm.base_url)) as chat,
    ):
        answer = (await chat.ask("go round in circles")).answer
        assert answer.startswith(f"I took {len(llm.requests)} steps and am not done.")
        assert len(llm.requests) < 6


async def test_the_limit_of_steps_makes_the_model_answer(tmp_path: Path) -> None:
    numbers = iter(range(100))

    def model(body: dict[str, Any]) -> Reply:
        tools = Reply.tool("files_list", {"path": f"./{next(numbers)}"})
        return tools if body.get("tools") else Reply("Here is what I have.")

    config = "[agent]\nmax_steps = 4\n"
    async with always(model) as llm, talking(tmp_path, provider("one", llm.base_url) + config) as chat:
        assert (await chat.ask("work")).answer == "Here is what I have."
        assert len(llm.requests) == 4


async def test_cut_tool_arguments_are_neither_run_nor_sent_back(tmp_path: Path) -> None:
    cut = Reply.length("files_write", '{"path": "x.txt", "text": "half of')
    async with LLMFake(cut, Reply("Sorry.")) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask("write")).answer == "Sorry."
        assert not (tmp_path / "data" / "workspace" / "x.txt").exists()
        last = llm.requests[-1].body["messages"]
        assert "half of" not in str(last)
        assert "cut off" in last[-1]["content"]


async def test_an_answer_at_the_length_limit_says_so(tmp_path: Path) -> None:
    async with LLMFake(Reply("Once upon", finish="length")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url)) as chat:
            assert (await chat.ask("a story")).answer.startswith("Once upon\n\n[cut off")


async def test_a_message_during_a_turn_enters_it_at_its_next_step(tmp_path: Path) -> None:
    held = Reply.tool("clock", {}, pace=Pace(hold="go"))
    async with LLMFake(held) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.say("first")
        await llm.until(lambda: len(llm.requests) == 1)
        await chat.say("second")
        llm.release("go")
        heard = await chat.hear()
        assert len(heard.answers) == 1
        roles = [role for role, _ in spoken(llm.requests[-1].body)]
        assert roles == ["user", "assistant", "tool", "user"]
        assert spoken(llm.requests[-1].body)[-1] == ("user", "second")


async def test_stop_ends_an_answer_at_once_and_the_next_works(tmp_path: Path) -> None:
    endless = Reply("word " * 500, pace=Pace(delay=0.2, chunks=500))
    async with LLMFake(endless) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.say("talk")
        await chat.shows("word word")
        started = asyncio.get_running_loop().time()
        await chat.say("/stop")
        heard = await chat.hear()
        assert heard.answer.startswith("word word")
        assert heard.answer.endswith("word\n\n⏹ Stopped.")
        assert heard.replies == []
        assert asyncio.get_running_loop().time() - started < 2
        await llm.until(lambda: llm.concurrent == 0)
        assert (await chat.ask("again")).answer == "You said: again"


async def test_stop_with_nothing_running_says_so(tmp_path: Path) -> None:
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask("/stop")).replies == ["Nothing is running."]
        assert "Ready." in (await chat.ask("/status")).replies[0]


async def test_a_turn_over_its_deadline_ends_with_a_word(tmp_path: Path) -> None:
    config = "[agent]\nturn_deadline = 1\n"
    async with LLMFake(Reply.broken("hang", 1, "Hm")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + config) as chat:
            heard = await chat.ask("hello")
            assert len(heard.answers) == 1
            assert "I stopped after 1 second." in heard.answer or "No model can answer" in heard.answer


async def test_a_chosen_model_is_never_replaced_silently(tmp_path: Path) -> None:
    async with LLMFake() as one, LLMFake() as two:
        config = provider("one", one.base_url) + provider("two", two.base_url)
        async with talking(tmp_path, config) as chat:
            assert "two/fake-1 answers" in (await chat.ask("/model two/fake-1")).replies[0]
            await chat.ask("hello")
            assert (len(one.requests), len(two.requests)) == (0, 1)
            two.push(Reply.error(401, {"error": {"message": "no"}}), times=5)
            assert (
                "No model can answer right now:\n- two/fake-1 refused the key"
                in (await chat.ask("hello")).answer
            )
            assert (await chat.ask("hello?")).answer.endswith(
                "`/model auto` lets others answer in this chat, too."
            )
            assert len(one.requests) == 0
            await chat.ask("/model auto")
            assert (await chat.ask("now")).answer == "You said: hello\n\nhello?\n\nnow", (
                "the unanswered question goes along"
            )
            assert "unknown model" in (await chat.ask("/model nonsense")).replies[0]


async def test_the_conversation_fits_the_window_by_whole_turns(tmp_path: Path) -> None:
    config = "\n[providers.one.model_info.fake-1]\ncontext_window = 8000\n[agent]\nmax_tokens = 500\n"
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url) + config) as chat:
        for number in range(12):
            await chat.ask(f"{number} " + "words " * 200)
        said = next(
            s for request in reversed(llm.requests) if (s := spoken(request.body))[-1][1].startswith("11 ")
        )
        assert said[0][0] == "user"
        assert 2 < len(said) < 12
        assert sum(len(text) for _, text in said) < 8000 * 4


async def test_too_long_is_tried_once_more_at_half_length(tmp_path: Path) -> None:
    too_long = Reply.error(
        400, {"error": {"code": "context_length_exceeded", "message": "maximum context length is 10"}}
    )
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        for _ in range(2):
            await chat.ask("words " * 2000)
        llm.push(too_long)
        assert (await chat.ask("hello")).answer == "You said: hello"
        assert len(spoken(llm.requests[-2].body)) > len(spoken(llm.requests[-1].body))
