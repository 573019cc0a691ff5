"""A changed configuration, taken up while running: what is new counts for the next message, what is bad for none."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from bot.errors import BotError, ConfigError
from providers.registry import FoundProvider
from providers.settings import ProviderSettings
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import always, provider, talking
from tests.journey.test_command_line import Machine
from tests.journey.test_handing_on import offered

TELEGRAM = '[channels.telegram]\ntoken = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\n'


def change(folder: Path, config: str) -> None:
    (folder / "config.toml").write_text(config)


async def test_a_new_provider_answers_the_next_message(tmp_path: Path) -> None:
    async with always(Reply("One.")) as one, always(Reply("Two.")) as two:
        async with talking(tmp_path, provider("one", one.base_url)) as chat:
            assert (await chat.ask("who?")).answer == "One."
            change(tmp_path, provider("two", two.base_url) + '[roles]\nreasoning = "two"\n' + TELEGRAM)

            done = await chat.app.reloader.reload()

            assert done.taken_up == ("[providers.one] (gone)", "[providers.two] (new)", "[roles] reasoning")
            assert done.restart == ("[channels.telegram] (new)",)
            assert (await chat.ask("who?")).answer == "Two."
            again = await chat.app.reloader.reload()
            assert (again.taken_up, again.restart) == ((), ("[channels.telegram] (new)",))
            assert (await chat.app.status.report())["choice"] == "from the configuration: two"


async def test_an_answer_in_the_making_is_left_to_its_end(tmp_path: Path) -> None:
    async with LLMFake() as one, always(Reply("Two.")) as two:
        async with talking(tmp_path, provider("one", one.base_url) + "[agent]\nmax_tokens = 300\n") as chat:
            one.push(Reply("The old one speaks.", pace=Pace(hold="go", hold_at=1)))
            await chat.say("who?")
            await one.until(lambda: one.concurrent == 1)
            before = chat.app.reloader.loaded
            change(tmp_path, provider("two", two.base_url) + "[agent]\nmax_tokens = 200\n")
            await chat.app.reloader.reload()
            one.release("go")

            heard = await chat.hear_answer()

            assert (heard.answer, heard.notices) == ("The old one speaks.", [])
            assert chat.app.reloader.loaded is not before
            heard = await chat.ask("and now?")
            assert (heard.answer, heard.notices) == ("Two.", [])
            assert two.requests[0].body["max_tokens"] == 200
            assert "The old one speaks." in str(two.requests[0].body["messages"])


async def test_a_turn_in_the_middle_of_its_steps_keeps_its_tools_and_limits(tmp_path: Path) -> None:
    clock = Reply.tool("clock", {})
    async with LLMFake() as one:
        async with talking(tmp_path, provider("one", one.base_url)) as chat:
            one.push(Reply.tool("clock", {}, pace=Pace(hold="go")), Reply("It is late."))
            await chat.say("what time is it?")
            await one.until(lambda: one.concurrent == 1)
            limits = '[tools]\noff = ["clock"]\n[agent]\nmax_steps = 1\n'
            change(tmp_path, provider("one", one.base_url) + limits)
            await chat.app.reloader.reload()
            one.release("go")
            assert (await chat.hear_answer()).answer == "It is late."
            assert "clock" in offered(one.requests[-1].body)
            one.push(clock)
            await chat.ask("and now?")
            assert not offered(one.requests[-1].body), "one step means no tools"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (
            "[agent]\nmax_stps = 3\nmax_tokens = 0\n",
            ["max_stps: unknown key; did you mean max_steps?", "max_tokens"],
        ),
        ("[agent\n", ["config.toml:4"]),
        ('[roles]\nreasoning = "ome"\n', ["did you mean one?"]),
    ],
)
async def test_a_broken_file_changes_nothing(tmp_path: Path, bad: str, says: list[str]) -> None:
    async with always(Reply("One.")) as one:
        good = provider("one", one.base_url)
        async with talking(tmp_path, good) as chat:
            core = chat.app.reloader._living.agent.core
            change(tmp_path, good.replace("fake-1", "fake-2") + bad)
            with pytest.raises(ConfigError) as caught:
                await chat.app.reloader.reload()
            for line in says:
                assert any(line in problem for problem in caught.value.problems)
            assert chat.app.reloader._living.agent.core is core
            assert (await chat.ask("who?")).answer == "One."


async def test_people_jobs_limits_and_questions_follow(tmp_path: Path) -> None:
    async with always(Reply("Hi.")) as one:
        base = provider("one", one.base_url)
        async with talking(tmp_path, base + "[jobs.probe]\nevery = 50\n") as chat:
            people, jobs = chat.app.people, chat.app.jobs
            assert people.owner.name == "owner"
            change(
                tmp_path,
                base
                + '[people.ann]\nrole = "owner"\ntelegram = 7\n[people.ben]\ntelegram = 8\n'
                + "[jobs.probe]\nevery = 70\n[jobs.catalogue]\noff = true\n"
                + "[limits]\ntokens_per_day = 9\n[agent]\napproval_expires = 60\n",
            )
            done = await chat.app.reloader.reload()
            assert done.restart == ()
            assert people.owner.name == "ann"
            found = people.identify("telegram", "8")
            assert found is not None
            assert found.name == "ben"
            shown = {job["name"]: job for job in jobs.report()}
            assert shown["probe"]["trigger"] == "every 70 s"
            assert shown["catalogue"]["state"] == "off"
            assert [s.cap.most for s in chat.app.models.standings()] == [9]
            assert chat.app.approvals.owner.name == "ann"

            change(tmp_path, base)
            await chat.app.reloader.reload()
            assert people.identify("telegram", "8") is None
            assert {job["name"]: job["state"] for job in jobs.report()}["catalogue"] != "off"
            assert chat.app.models.standings() == ()


async def test_without_providers_the_machine_is_looked_over(tmp_path: Path) -> None:
    async with always(Reply("One.")) as one, always(Reply("Found.")) as local:
        settings = ProviderSettings(kind="openai_compat", api_base=local.base_url, default_model="fake-1")
        found = [FoundProvider("llama", settings, why="a server on this machine")]
        async with talking(tmp_path, provider("one", one.base_url), found) as chat:
            change(tmp_path, "")
            await chat.app.reloader.reload()
            assert (await chat.ask("who?")).answer == "Found."
            assert (await chat.app.status.report())["choice"] == "a server on this machine"


async def test_a_secret_that_is_new_is_left_out_of_what_a_model_reads(tmp_path: Path) -> None:
    async with LLMFake() as one:
        base = provider("one", one.base_url)
        async with talking(tmp_path, base) as chat:
            change(tmp_path, base + 'api_key = "sk-brand-new-one"\n')
            await chat.app.reloader.reload()
            (tmp_path / "data" / "workspace" / "note.txt").write_text("it is sk-brand-new-one")
            one.push(Reply.tool("files_read", {"path": "note.txt"}), Reply("Read."))
            await chat.ask("read my note")
            assert one.requests[-1].headers["authorization"] == "Bearer sk-brand-new-one"
            assert one.requests[-1].body["messages"][-1]["content"] == "it is [secret]"


async def test_two_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    async with always(Reply("One.")) as one, talking(tmp_path, provider("one", one.base_url)) as chat:
        change(tmp_path, provider("one", one.base_url) + "[agent]\nmax_steps = 7\n")
        first, second = await asyncio.gather(*(chat.app.reloader.reload() for _ in range(2)))
        assert (first.taken_up, second.taken_up) == (("[agent] max_steps",), ())


async def test_a_bot_for_one_command_says_that_it_has_nothing_to_reload(tmp_path: Path) -> None:
    async with always(Reply("One.")) as one, talking(tmp_path, provider("one", one.base_url)) as chat:
        chat.app.reloader._load = None
        with pytest.raises(BotError, match="for one command alone"):
            await chat.app.reloader.reload()


async def ask(machine: Machine) -> str:
    return (await machine.nanobot("chat", "-m", "who?"))[1].strip()


async def test_a_real_daemon_reloads_on_sighup_and_on_command(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with always(Reply("One.")) as one, always(Reply("Two.")) as two:
        machine.configure(one.base_url)
        async with machine.daemon() as daemon:
            assert await ask(machine) == "One."
            machine.configure(two.base_url)
            daemon.send_signal(signal.SIGHUP)
            async with asyncio.timeout(20):
                while await ask(machine) != "Two.":
                    await asyncio.sleep(0.02)

            good = (tmp_path / "config.toml").read_text()
            change(tmp_path, good + "[agnt]\n")
            code, out, err = await machine.nanobot("reload")
            assert (code, out) == (2, "")
            assert "config.toml:5: [agnt]: unknown section; did you mean [agent]?" in err
            assert err.endswith("Nothing was changed: the configuration from before goes on.\n")
            daemon.send_signal(signal.SIGHUP)
            assert await ask(machine) == "Two."

            machine.configure(one.base_url)
            code, out, err = await machine.nanobot("reload")
            assert (code, err) == (0, "")
            assert "Taken up: [providers.one]\n" in out
            assert await ask(machine) == "One."
            daemon.send_signal(signal.SIGTERM)
            _, log = await daemon.communicate()
    assert daemon.returncode == 0
    assert b"[agnt]: unknown section" in log
    assert b"Traceback" not in log
    assert b"sk-test-123" not in log
    code, _, err = await machine.nanobot("reload")
    assert (code, "no daemon runs" in err) == (1, True)
