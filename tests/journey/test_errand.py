"""An errand, whole: handed on, one tool failing on the way, a file written, a reminder set; and not one question."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import talking
from tests.journey.test_handing_on import offered, two
from tests.journey.test_reminders import SETTINGS, Hand, due
from tests.unit.tools.test_web import ARTICLE, site

NINE = "2026-11-24T09:00"


async def test_it_is_handed_on_once_asks_nothing_and_reminds_late_after_a_night_down(tmp_path: Path) -> None:
    files = tmp_path / "data" / "workspace"
    files.mkdir(parents=True)
    for size in (10, 2000, 3000, 4000):
        (files / f"{size}.txt").write_text("x" * size)
    clock = Hand()
    async with site({"/tea": ("text/html", ARTICLE)}) as host, LLMFake() as main, LLMFake() as runner:
        page = f"http://{host}/tea"
        task = f"Find the three largest files, read {page}, sum it up in summary.md"
        main.push(
            Reply.tool("delegate", {"task": task, "expected": "the names"}),
            Reply.tool("remind", {"text": "Read summary.md", "at": NINE}),
            Reply("All done."),
        )
        runner.push(
            Reply.tool("files_list", {"path": "."}),
            Reply.tool("files_read", {"path": "missing.txt"}),
            Reply.tool("web_fetch", {"url": page}),
            Reply.tool("files_write", {"path": "summary.md", "text": "Three files, and tea."}),
            Reply.tool("report", {"done": True, "found": "4000, 3000 and 2000", "changed": ["summary.md"]}),
        )
        config = two(main, runner) + SETTINGS + f'[tools.web]\nallow = ["{host}"]\n'
        async with talking(tmp_path, config, clock=clock) as chat:
            heard = await chat.ask(f"find my largest files, look at {page}, sum up, remind me at nine")
            assert (heard.answer, heard.questions) == ("All done.", [])
            assert (files / "summary.md").read_text() == "Three files, and tea."
            assert "delegate" in offered(main.requests[0].body)
            context = str(main.requests[-1].body)
            assert "4000, 3000 and 2000" in context
            assert "made of leaves" not in context
            assert "missing.txt" not in context
            results = [str(m["content"]) for m in runner.requests[-1].body["messages"] if m["role"] == "tool"]
            assert "does not exist" in results[1]
            assert "made of leaves" in results[2]
        clock.set("2026-11-24T11:00")
        async with talking(tmp_path, config, clock=clock) as chat:
            told = (await due(chat)).messages
            assert len(told) == 1
            assert "Read summary.md" in told[0]
            assert "late" in told[0]
        async with talking(tmp_path, config, clock=clock) as chat:
            assert (await due(chat)).messages == []
