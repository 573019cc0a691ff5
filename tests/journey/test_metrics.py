"""What a Prometheus reads of a running bot, and what a supervisor asks it."""

from __future__ import annotations

import logging
import re
import socket
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import BotError, ConfigError
from bot.gateway.people import Person, Roster
from bot.ops.logs import configure
from bot.safety.redaction import Redactor
from bot.safety.rules import Role
from channels.testing import LoopbackChannel
from channels.types import ChannelStatus
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import always, provider, running, talking

LISTEN = '[metrics]\nlisten = "127.0.0.1:{}"\n'


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels; fails where the text is not Prometheus' format."""
    return {
        (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_turns_calls_fallbacks_and_deliveries_are_counted(tmp_path: Path) -> None:
    channel, port = LoopbackChannel("chat"), free_port()
    async with always(Reply.error(500, {"error": "down"})) as bad, LLMFake(Reply("Hello.")) as good:
        config = (
            provider("bad", bad.base_url)
            + provider("good", good.base_url)
            + '[fallback]\nreasoning = ["bad", "good"]\n[roles]\nreasoning = "bad"\n'
            + LISTEN.format(port)
        )
        async with running(tmp_path, config, channels=(channel,)) as app:
            ann = Person("ann", Role.USER)
            app.people.adopt(Roster(app.people.owner, {("chat", "1"): ann}, {}))
            channel.say("hello")
            await channel.until(lambda: "Hello." in channel.seen())
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                assert (await http.get("/healthz")).text == "ok\n"
                assert (await http.get("/readyz")).status_code == 200
                answer = await http.get("/metrics")
    found = samples(answer.text)
    assert answer.headers["content-type"].startswith("text/plain")
    assert found["nanobot_turn_seconds_count", "channel=chat", "outcome=Answered"] == 1
    assert found["nanobot_lane_wait_seconds_count",] == 1
    called = ("nanobot_model_calls_total", "model=fake-1")
    assert found[*called, "outcome=answered", "provider=good"] == 1
    assert found[*called, "outcome=ServerError", "provider=bad"] >= 1
    fallback = ("nanobot_fallbacks_total", "reason=ServerError", "source=bad/fake-1", "target=good/fake-1")
    assert found[fallback] == 1
    assert found["nanobot_deliveries_total", "channel=chat", "state=sent"] >= 1
    assert found["nanobot_channel_up", "channel=chat"] == 1
    assert found["nanobot_resident_memory_bytes",] > 10_000_000
    assert found["nanobot_spent_usd", "period=month"] == 0


class Connecting(LoopbackChannel):
    """A channel that has not tried yet."""

    @property
    def status(self) -> ChannelStatus:
        return ChannelStatus(False, "connecting")


async def test_not_ready_while_a_channel_has_not_even_tried(tmp_path: Path) -> None:
    port = free_port()
    async with (
        LLMFake() as llm,
        running(
            tmp_path, provider("one", llm.base_url) + LISTEN.format(port), channels=(Connecting("chat"),)
        ),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not connected yet: chat\n")


async def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        async with LLMFake() as llm:
            with pytest.raises(BotError, match=rf"\[metrics\] listen: 127.0.0.1:{port} can't be used"):
                async with running(tmp_path, provider("one", llm.base_url) + LISTEN.format(port)):
                    pass


async def test_the_world_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no address of this machine"):
        async with running(tmp_path, '[metrics]\nlisten = "0.0.0.0:9464"\n'):
            pass


async def test_each_line_of_the_log_that_a_turn_causes_bears_its_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = logging.getLogger().handlers[:]
    try:
        async with always(Reply.error(401, {"error": {"message": "no such key"}})) as llm:
            async with talking(tmp_path, provider("one", llm.base_url)) as chat:
                configure(Redactor(()), verbose=False, journal=False)
                await chat.ask("hello")
    finally:
        logging.getLogger().handlers[:] = before
    lines = [line for line in capsys.readouterr().err.splitlines() if "can't" in line or "refus" in line]
    assert lines
    assert all(re.search(r"\[terminal:main #\d+\]", line) for line in lines), lines
