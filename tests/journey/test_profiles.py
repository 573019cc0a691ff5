"""Kinds of workers: each field of a profile has its effect on what is sent, or on when the work ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted
from tests.journey.test_handing_on import REPORT, offered, said, two

HAND_ON = Reply.tool("delegate", {"task": "read it", "profile": "reader"})
LOOK = Reply.tool("files_list", {"path": "."})


def profile(folder: Path, *lines: str, body: str = "Read slowly.") -> None:
    agents = folder / "data" / "workspace" / "agents"
    agents.mkdir(parents=True, exist_ok=True)
    text = "\n".join(("---", "description: Reads long things.", *lines, "---", body))
    (agents / "reader.md").write_text(text)


def system(body: dict[str, Any]) -> str:
    return str(body["messages"][0]["content"])


async def test_main_is_told_of_it_and_the_worker_has_its_prompt_and_tools(tmp_path: Path) -> None:
    profile(tmp_path, "tools: [files_read, web]")
    async with (
        LLMFake(HAND_ON, Reply("Done.")) as main,
        LLMFake(REPORT) as runner,
        talking(tmp_path, two(main, runner)) as chat,
    ):
        assert (await chat.ask("go")).answer == "Done."
        assert "- reader: Reads long things." in system(main.requests[0].body)
        assert system(runner.requests[0].body).endswith("Read slowly.")
        assert offered(runner.requests[0].body) == {
            "files_read", "web_fetch", "web_search", "result_read", "report"
        }  # fmt: skip


async def test_it_is_asked_of_its_own_model(tmp_path: Path) -> None:
    profile(tmp_path, "model: third/fake-1")
    async with (
        LLMFake(HAND_ON, Reply("Done.")) as main,
        LLMFake() as runner,
        LLMFake(REPORT) as third,
        talking(tmp_path, two(main, runner) + provider("third", third.base_url) + trusted("third")) as chat,
    ):
        assert (await chat.ask("go")).answer == "Done."
        assert (len(main.requests), len(runner.requests), len(third.requests)) == (2, 0, 1)


async def test_a_role_stands_for_the_model(tmp_path: Path) -> None:
    profile(tmp_path, "role: reasoning")
    async with (
        LLMFake(HAND_ON, REPORT, Reply("Done.")) as main,
        LLMFake() as runner,
        talking(tmp_path, two(main, runner)) as chat,
    ):
        assert (await chat.ask("go")).answer == "Done."
        assert (len(main.requests), len(runner.requests)) == (3, 0)


async def test_its_steps_are_counted(tmp_path: Path) -> None:
    profile(tmp_path, "max_steps: 2")
    async with (
        LLMFake(HAND_ON, Reply("Done.")) as main,
        LLMFake(LOOK, Reply("I saw one file.")) as runner,
        talking(tmp_path, two(main, runner)) as chat,
    ):
        assert (await chat.ask("go")).answer == "Done."
        assert len(runner.requests) == 2
        assert offered(runner.requests[0].body)
        assert not offered(runner.requests[1].body)
        assert "one file" in said(main)[-1]


async def test_its_time_is_limited(tmp_path: Path) -> None:
    profile(tmp_path, "deadline: 0.3")
    async with (
        LLMFake(HAND_ON, Reply("Too slow.")) as main,
        LLMFake(LOOK, Reply.broken("hang")) as runner,
        talking(tmp_path, two(main, runner)) as chat,
    ):
        assert (await chat.ask("go")).answer == "Too slow."
        assert "the time was over" in said(main)[-1]
        assert "files_list" in said(main)[-1]


async def test_one_that_is_not_there_or_broken_is_told_to_main_and_nothing_is_begun(tmp_path: Path) -> None:
    profile(tmp_path, "modle: third")
    other = Reply.tool("spawn", {"task": "read", "profile": "raeder"})
    async with (
        LLMFake(HAND_ON, other, Reply("I can't.")) as main,
        LLMFake() as runner,
        talking(tmp_path, two(main, runner)) as chat,
    ):
        assert (await chat.ask("go")).answer == "I can't."
        assert "reader" not in system(main.requests[0].body)
        told = said(main)
        assert "agents/reader.md:3: modle: unknown key; did you mean model?" in told[-3]
        assert "There is no profile 'raeder'; did you mean reader?" in told[-1]
        assert not runner.requests


async def test_an_unknown_model_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    profile(tmp_path, "model: runer/fake-1")
    async with (
        LLMFake(HAND_ON, Reply("I can't.")) as main,
        LLMFake() as runner,
        talking(tmp_path, two(main, runner)) as chat,
    ):
        assert (await chat.ask("go")).answer == "I can't."
        assert "reader.md:3: model: unknown model 'runer/fake-1'" in said(main)[-1]
        assert "did you mean 'runner/fake-1'" in said(main)[-1]


async def test_a_file_that_changes_counts_for_the_next_work(tmp_path: Path) -> None:
    profile(tmp_path)
    async with (
        LLMFake(HAND_ON, Reply("Done.")) as main,
        LLMFake(REPORT) as runner,
        talking(tmp_path, two(main, runner)) as chat,
    ):
        await chat.ask("go")
        profile(tmp_path, body="Read very quickly.")
        main.push(HAND_ON, Reply("Done."))
        runner.push(REPORT)
        await chat.ask("go")
        assert system(runner.requests[0].body).endswith("Read slowly.")
        assert system(runner.requests[1].body).endswith("Read very quickly.")
