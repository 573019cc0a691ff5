"""From an account without a key to answers that cost nothing, with the real command, the real daemon and OpenRouter's
stand-in.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.catalogues import Catalogues
from bot.storage.database import Database
from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from tests.fakes.llm import Reply
from tests.fakes.openrouter import OpenRouterFake, entry
from tests.journey.test_command_line import Machine

BEST, SECOND = "nvidia/nemotron-3-super-120b-a12b:free", "google/gemma-4-31b-it:free"
BROWSER = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()\n"


def point(machine: Machine, fake: OpenRouterFake, rest: str = "", section: str = "openrouter") -> Path:
    file = machine.folder / "config.toml"
    file.write_text(f"[providers.{section}]\napi_base = {json.dumps(fake.base_url)}\n{rest}")
    file.chmod(0o600)
    return file


async def stock(machine: Machine, fake: OpenRouterFake) -> None:
    """What the daemon's job does at its start, done before it."""
    machine.data.mkdir(parents=True, exist_ok=True)
    database = await Database.open(machine.data / "nanobot.db")
    settings = ProviderSettings.model_validate({"api_base": fake.base_url, "api_key": fake.setup.key})
    models = ModelClient(Catalog.of({"openrouter": settings}))
    await Catalogues(models, database).refresh(time.time())
    await models.aclose()
    await database.aclose()


async def test_a_sign_in_leads_to_an_answer_by_a_free_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path)
    script = tmp_path / "browser.py"
    script.write_text(BROWSER)
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s")
    async with OpenRouterFake() as fake:
        file = point(machine, fake)
        code, out, err = await machine.nanobot("login", "openrouter")
        assert (code, err) == (0, "")
        key = tomllib.loads(file.read_text())["providers"]["openrouter"]["api_key"]
        assert key in fake.accounts
        assert key not in out
        fake.push(Reply("Hello from nothing paid."))
        code, out, err = await machine.nanobot("chat", "-m", "hello")
        assert (code, out.strip()) == (0, "Hello from nothing paid."), err
        (request,) = fake.requests
        assert request.headers["authorization"] == f"Bearer {key}"
        assert request.body["model"].endswith(":free")


async def test_the_address_is_shown_before_the_code_is_waited_for_also_through_a_pipe(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with OpenRouterFake() as fake:
        file = point(machine, fake)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *machine.command("login", "openrouter", "--no-browser"),
            env=machine.environment(),
            stdin=pipe,
            stdout=pipe,
        )
        assert process.stdout is not None
        async with asyncio.timeout(20):
            shown = await process.stdout.readline() + await process.stdout.readline()
            challenge = parse_qs(urlsplit(shown.decode().split()[-1]).query)["code_challenge"][0]
            await process.communicate(fake.wait_for(challenge).encode() + b"\n")
        assert process.returncode == 0
        assert tomllib.loads(file.read_text())["providers"]["openrouter"]["api_key"] in fake.accounts


async def test_a_model_that_is_gone_is_not_asked_again_even_after_a_restart(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with OpenRouterFake() as fake:
        key = json.dumps(fake.setup.key)
        point(machine, fake, f"api_key = {key}\n[roles]\nreasoning = 'free'\n")
        await stock(machine, fake)
        fake.ended[BEST] = "free_variant_ended"
        async with machine.daemon():
            code, out, _ = await machine.nanobot("models")
            assert code == 0
            assert f"  {BEST}" in out
            assert "nvidia/nemotron-3.5-content-safety:free" in out  # it is there, and not for talking
            await machine.nanobot("chat", "-m", "one")
            asked = [request.body["model"] for request in fake.requests]
            assert asked == [BEST, SECOND]
            _, out, _ = await machine.nanobot("models", "openrouter", "--free", "--json")
            states = {row["id"]: row["state"] for row in json.loads(out)["models"]}
            assert states[BEST] == "unusable"
            assert states[SECOND] == "ready"
            _, out, _ = await machine.nanobot("chat", "-m", "/model")
            assert f"`openrouter/{SECOND}`" in out
        code, out, _ = await machine.nanobot("resolve", "free")
        assert BEST not in out
        async with machine.daemon():
            await machine.nanobot("chat", "-m", "two")
            assert [request.body["model"] for request in fake.requests][2:] == [SECOND]


async def test_a_gateway_without_a_key_sees_no_key(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with OpenRouterFake([entry("big/paid-70b"), entry("z-ai/glm-5:free")]) as fake:
        fake.accounts[""] = fake.accounts[fake.setup.key]
        point(machine, fake, section="kilo")
        code, out, _ = await machine.nanobot("check")
        assert code == 0
        assert "may be logged, read, and used to train models" in out
        code, out, err = await machine.nanobot("chat", "-m", "hello")
        assert code != 0
        assert not fake.requests
        assert not fake.probes
        point(machine, fake, "anonymous = true\n", section="kilo")
        fake.push(Reply("Hello, stranger."))
        code, out, err = await machine.nanobot("chat", "-m", "hello")
        assert (code, out.strip()) == (0, "Hello, stranger."), err
        seen = [*fake.requests, *fake.probes]
        assert {request.body["model"] for request in fake.requests} == {"z-ai/glm-5:free"}
        assert not any("authorization" in one.headers for one in seen)
