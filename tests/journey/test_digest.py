"""The line in the morning goes to the owner, where they want to be written to."""

from __future__ import annotations

from pathlib import Path

from bot.config import PersonSettings
from bot.gateway.people import Person, Roster
from bot.safety.rules import Role
from channels.testing import LoopbackChannel
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, running


async def test_the_owner_reads_it_on_the_channel_that_they_prefer(tmp_path: Path) -> None:
    chat, mail, gone = (LoopbackChannel(kind) for kind in ("chat", "mail", "gone"))
    ann = Person("ann", Role.OWNER)
    known = {(kind, "1"): ann for kind in ("chat", "mail", "gone")}
    async with LLMFake(Reply("One."), Reply("Two."), Reply("Three.")) as llm:
        config = provider("one", llm.base_url) + "[jobs.digest]\n"
        async with running(tmp_path, config, channels=(chat, mail, gone)) as app:
            app.people.adopt(Roster(ann, known, {}))
            assert (await app.jobs.run("digest", 10.0))["outcome"] == ""
            for channel in (mail, chat, gone):
                channel.say("hello")
                await channel.until(channel.seen)
        async with running(tmp_path, config, channels=(chat, mail)) as app:
            for settings, channel in ({}, chat), ({"ann": PersonSettings(prefers="mail")}, mail):
                app.people.adopt(Roster(ann, known, settings))
                assert (await app.jobs.run("digest", 10.0))["outcome"] == "told the owner"
                await channel.until(lambda channel=channel: len(channel.seen()) == 2)  # type: ignore[misc]
                assert channel.seen()[1].startswith("☀️ Since yesterday: 3 messages, 3 answers;")
