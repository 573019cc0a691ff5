"""A stream that dies after 200 tokens were shown: what stands on Telegram is the next model's answer, whole, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.fakes.llm import Fault, LLMFake, Pace, Reply
from tests.fakes.llm.errors import anthropic
from tests.fakes.telegram import TelegramFake
from tests.journey.conversation import always, provider, running

ANN = 42
PROTOCOLS = [("openai_compat", "anthropic"), ("anthropic", "openai_compat")]
DYING = " ".join(f"lost{number}" for number in range(300))
WHOLE = " ".join(f"kept{number}" for number in range(300))
WRITE = {"path": "note.txt", "text": "one line that is written once"}
CUTS: dict[str, Fault] = {
    "closed": Fault("close", 200),
    "reset": Fault("reset", 200),
    "ended early": Fault("end", 200),
    "error event": Fault("error", 200, anthropic("overloaded_error", "Overloaded"), event="error"),
}


@dataclass
class Scene:
    tg: TelegramFake
    first: LLMFake
    second: LLMFake
    note: Path

    async def shown(self, text: str) -> None:
        """Wait until this is to be read in the chat."""
        await self.tg.wait_for(lambda: any(text in one.text for one in self.tg.answers(ANN)) or None, 15)

    async def answered(self) -> None:
        """Wait until the second's answer was shown half and then whole, and with it the line about the first."""
        await self.shown("kept100")
        self.second.release("rest")
        await self.shown("kept299")
        await self.shown("answers instead.")


@asynccontextmanager
async def scene(folder: Path, first: LLMFake, kinds: tuple[str, str]) -> AsyncIterator[Scene]:
    whole = Reply(WHOLE, pace=Pace(chunks=300, hold="rest", hold_at=150))
    async with TelegramFake() as tg, first, always(whole) as second:
        one = provider("one", first.base_url, kind=f'"{kinds[0]}"')
        two = provider("two", second.base_url, kind=f'"{kinds[1]}"')
        rest = (
            f'[workspace]\npath = "{folder / "work"}"\n[people.ann]\nrole = "owner"\ntelegram = {ANN}\n'
            f'[channels.telegram]\ntoken = "{tg.token}"\nbase_url = "{tg.base_url}"\n'
            f'base_file_url = "{tg.base_file_url}"\n'
        )
        async with running(folder, one + two + rest):
            yield Scene(tg, first, second, folder / "work" / WRITE["path"])


def dying(fault: Fault, hold: str = "") -> Reply:
    """An answer of 300 tokens that breaks off after 200 of them."""
    return Reply(DYING, pace=Pace(chunks=300, hold=hold, hold_at=199 if hold else None), fault=fault)


@pytest.mark.parametrize("kinds", PROTOCOLS, ids=lambda kinds: kinds[0])
@pytest.mark.parametrize("cut", CUTS)
async def test_the_answer_is_the_second_models_whole_and_once(
    tmp_path: Path, cut: str, kinds: tuple[str, str]
) -> None:
    async with scene(tmp_path, always(dying(CUTS[cut], hold="cut")), kinds) as s:
        s.tg.user_says(ANN, "tell me")
        await s.shown("lost150")
        s.first.release("cut")
        await s.answered()
        answer, notice = s.tg.answers(ANN)
        assert answer.text == WHOLE
        assert notice.text.startswith("⚠️ one/fake-1 ")
        assert any("lost" in shown.text for shown in answer.history), (
            "the first's text stood there for a while"
        )
        assert not any("lost" in shown.text and "kept" in shown.text for shown in answer.history)
        assert len(s.second.requests) == 1
        assert "lost" not in str(s.second.requests[0].body), "nothing of a dead answer is part of the history"


@pytest.mark.parametrize("kinds", PROTOCOLS, ids=lambda kinds: kinds[0])
async def test_a_tool_that_ran_before_the_cut_is_not_run_again(
    tmp_path: Path, kinds: tuple[str, str]
) -> None:
    call = Reply.tool("files_write", WRITE)
    first = LLMFake(call)
    first.default = dying(CUTS["closed"], hold="cut")
    async with scene(tmp_path, first, kinds) as s:
        s.tg.user_says(ANN, "write it down and tell me")
        await s.shown("lost150")
        written = s.note.stat()
        s.first.release("cut")
        await s.answered()
        assert s.tg.answers(ANN)[0].text == WHOLE
        assert s.note.read_text() == WRITE["text"]
        assert (s.note.stat().st_mtime_ns, s.note.stat().st_ino) == (written.st_mtime_ns, written.st_ino)
        (asked,) = s.second.requests
        assert _results(asked.body) == 1, "the next model receives what the tool said"


@pytest.mark.parametrize("kinds", PROTOCOLS, ids=lambda kinds: kinds[0])
@pytest.mark.parametrize("kind", ["close", "reset", "end"])
async def test_a_call_whose_arguments_were_cut_is_never_run(
    tmp_path: Path, kind: Literal["close", "reset", "end"], kinds: tuple[str, str]
) -> None:
    async with scene(tmp_path, always(Reply.cut_arguments("files_write", WRITE, kind)), kinds) as s:
        s.tg.user_says(ANN, "write it down")
        await s.answered()
        assert s.tg.answers(ANN)[0].text == WHOLE
        assert not s.note.exists()
        assert "files_write" not in str(s.second.requests[0].body["messages"])


def _results(body: Mapping[str, Any]) -> int:
    """How many results of tools a request holds, in either protocol."""
    lists = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    blocks = [block["type"] for content in lists for block in content]
    return [message["role"] for message in body["messages"]].count("tool") + blocks.count("tool_result")
