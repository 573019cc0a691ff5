"""`nanobot doctor` against servers that are well, ill, or none: what it finds, and what it says to do."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.cli.doctor import diagnose, exit_code, render
from bot.cli.options import Options
from bot.config import Config, Loaded
from bot.ops import doctor_providers
from bot.ops.doctor import Check, Finding, Findings, Patient, clock, database, disk, examine, worst
from providers.registry import Catalog
from providers.settings import ProviderSettings
from tests.fakes import gguf
from tests.fakes.llm import LLMFake, Reply, Setup

CALL = Reply.tool("note_number", {"number": 7})


def patient(tmp_path: Path, *, calls: bool = False, status: Any = None, **providers: Any) -> Patient:
    settings = {name: ProviderSettings.model_validate(table) for name, table in providers.items()}
    catalog = Catalog.of(settings)
    return Patient(Loaded(Config(), None), tmp_path / "data", dict(os.environ), catalog, calls, status)


async def found(one: Patient, name: str = "x") -> list[Finding]:
    check = next(check for check in doctor_providers.checks(one.catalog) if check.subject == name)
    return await examine(one, [check])


def bad(findings: list[Finding]) -> Finding:
    (finding,) = [finding for finding in findings if finding.level != "ok"]
    return finding


def texts(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.text} -> {finding.fix}" for finding in findings)


# Providers


async def test_a_server_that_is_well_is_asked_for_one_short_tool_call(tmp_path: Path) -> None:
    async with LLMFake(CALL, setup=Setup(kind="llama-server", models=("q-9b",), n_ctx=16_384)) as llm:
        findings = await found(patient(tmp_path, x={"api_base": llm.base_url}))

    assert worst(findings) == "ok"
    assert "q-9b: window of 16384 tokens, uses tools" in texts(findings)
    assert "q-9b called a tool in" in texts(findings)
    (request,) = llm.requests
    assert request.body["max_tokens"] <= 300
    assert [tool["function"]["name"] for tool in request.body["tools"]] == ["note_number"]


@pytest.mark.parametrize(
    ("reply", "level", "said"),
    [
        (Reply("Seven."), "warning", "did not call the tool"),
        (Reply.error(429, {"error": {"message": "slow down"}}), "warning", "is rate-limited"),
        (Reply.error(402, {"error": {"message": "no credit"}}), "error", "is out of credit"),
        (Reply.error(500, {"error": {"message": "oops"}}), "error", "has a server error"),
        (Reply(None, reasoning="hm", finish="length"), "error", "no usable answer"),
    ],
)
async def test_a_call_that_fails_is_explained(tmp_path: Path, reply: Reply, level: str, said: str) -> None:
    async with LLMFake(reply) as llm:
        findings = await found(patient(tmp_path, x={"api_base": llm.base_url}))

    finding = bad(findings)
    assert finding.level == level
    assert said in finding.text or finding.text.startswith("calling fake-1:")
    assert finding.fix


async def test_each_of_several_keys_is_tried(tmp_path: Path) -> None:
    async with LLMFake(CALL, setup=Setup(key="good")) as llm:
        settings = {"api_base": llm.base_url, "api_keys": ["good", "bad"]}
        findings = await found(patient(tmp_path, x=settings))

    assert "key 1 of 2: x accepts the key" in texts(findings)
    finding = bad(findings)
    assert (finding.level, finding.text) == ("error", "key 2 of 2: x refuses this key (status 401)")
    assert "nanobot init" in finding.fix


async def test_a_missing_key_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    async with LLMFake(setup=Setup(key="good")) as llm:
        without = await found(patient(tmp_path, x={"api_base": llm.base_url}))
        known = await found(patient(tmp_path, groq={}), "groq")

    assert "refuses anybody without a key" in bad(without).text
    assert bad(known).text == "has no key"
    assert not llm.requests, "nothing is called with a key that was refused"


async def test_a_model_that_is_not_listed_gets_the_nearest_that_is(tmp_path: Path) -> None:
    async with LLMFake(setup=Setup(models=("qwen-30b", "other"))) as llm:
        findings = await found(patient(tmp_path, x={"api_base": llm.base_url, "default_model": "qwen-3b"}))

    assert "doesn't list the model qwen-3b -> did you mean qwen-30b?" in texts(findings)


async def test_a_narrow_window_is_a_warning(tmp_path: Path) -> None:
    async with LLMFake(CALL, setup=Setup(kind="llama-server", n_ctx=4096)) as llm:
        findings = await found(patient(tmp_path, x={"api_base": llm.base_url}))

    assert "window of 4096 tokens" in bad(findings).text


async def test_what_costs_money_is_called_only_when_asked_for(tmp_path: Path) -> None:
    async with LLMFake(CALL) as llm:
        # Told from a local one by its name alone, as an address of the internet would be.
        base = llm.base_url.replace("127.0.0.1", "localhost.localtest.me")
        info = Catalog.of({"x": ProviderSettings(api_base=base)})
        assert not info.free("x")

        live = ProviderSettings(api_base=llm.base_url)
        paid = patient(tmp_path, x={"api_base": base})
        asked = patient(tmp_path, calls=True, x={"api_base": base})
        without = [f async for f in doctor_providers.answering("x", live, paid)]
        before = len(llm.requests)
        with_calls = [f async for f in doctor_providers.answering("x", live, asked)]

    assert before == 0
    assert "`nanobot doctor --calls` does" in texts(without)
    assert "called a tool" in texts(with_calls)


async def test_a_page_in_the_place_of_an_api(tmp_path: Path) -> None:
    async with LLMFake(setup=Setup(kind="website")) as llm:
        findings = await found(patient(tmp_path, x={"api_base": llm.base_url}))

    assert "web page" in texts(findings)
    assert "is api_base right?" in texts(findings)


# The way there


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://nowhere.invalid/v1", "(DNS)"),
        ("http://127.0.0.1:9/v1", "nothing listens at 127.0.0.1:9"),
        ("http://127.0.0.1:99999/v1", "is no address"),
    ],
)
async def test_where_the_way_ends(tmp_path: Path, address: str, said: str) -> None:
    finding = bad(await found(patient(tmp_path, x={"api_base": address})))

    assert finding.level == "error"
    assert said in finding.text
    assert finding.fix


async def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).parents[1] / "fakes" / "llm" / "untrusted.pem")
    async with LLMFake(tls=tls) as llm:
        finding = bad(await found(patient(tmp_path, x={"api_base": llm.base_url})))

    assert "certificate of 127.0.0.1 is not trusted" in finding.text


async def test_a_server_that_speaks_no_tls(tmp_path: Path) -> None:
    async def rude(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        finding = bad(await found(patient(tmp_path, x={"api_base": f"https://127.0.0.1:{port}/v1"})))

    assert "takes no encrypted connection (TLS)" in finding.text
    assert "http://" in finding.fix


# What nanobot runs itself


async def test_a_model_file_that_is_gone(tmp_path: Path) -> None:
    finding = bad(await found(patient(tmp_path, x={"kind": "llamacpp", "gguf": "/nowhere/model.gguf"})))

    assert (finding.level, "/nowhere/model.gguf" in finding.text) == ("error", True)


async def test_a_model_that_the_running_bot_holds_is_not_loaded_twice(tmp_path: Path) -> None:
    settings = {"kind": "llamacpp", "gguf": str(gguf.write(tmp_path / "model.gguf"))}

    findings = await found(patient(tmp_path, status={"providers": []}, x=settings))

    assert worst(findings) == "ok"
    assert "not called" in texts(findings)


async def test_what_rests_in_the_running_bot_is_said(tmp_path: Path) -> None:
    rest = {"scope": "provider:x", "name": "x", "until": time.time() + 60, "reason": "is rate-limited"}
    status = {"providers": [{"name": "x", "rests": [rest]}]}
    async with LLMFake(CALL) as llm:
        findings = await found(patient(tmp_path, status=status, x={"api_base": llm.base_url}))

    assert "is rate-limited" in bad(findings).text


def test_a_rest_over_midnight_is_said_with_its_day() -> None:
    until = time.time() + 2 * 86_400
    rest = {"scope": "provider:x", "name": "x", "until": until, "reason": "is rate-limited"}
    (text,) = doctor_providers.rests({"providers": [{"name": "x", "rests": [rest]}]}, "x")
    assert text.endswith(time.strftime("until %d %b %H:%M", time.localtime(until)))


async def test_without_any_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    finding = bad(await found(patient(tmp_path), "models"))

    assert (finding.level, finding.fix) == ("error", "nanobot init")


# This machine


async def test_a_whole_database_and_a_damaged_one(tmp_path: Path) -> None:
    one = patient(tmp_path)
    one.data.mkdir()
    assert [f.text async for f in database(one)] == ["there is none yet"]

    file = one.data / "nanobot.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("word" * 500,)] * 100)
        db.commit()
    assert [f.level async for f in database(one)] == ["ok"]

    content = bytearray(file.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    file.write_bytes(content)
    (finding,) = [f async for f in database(one)]
    assert (finding.level, "backup" in finding.fix) == ("error", True)


async def test_a_database_that_can_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    """With a full disk SQLite can't even read; who put a backup in the file's place then would lose what came since."""
    one = patient(tmp_path)
    (one.data / "nanobot.db").mkdir(parents=True)

    (finding,) = [f async for f in database(one)]

    assert (finding.level, "can't be read" in finding.text) == ("error", True)
    assert "backup" not in finding.fix
    assert "room" in finding.fix


async def test_a_folder_that_others_can_look_into(tmp_path: Path) -> None:
    one = patient(tmp_path)
    one.data.mkdir(mode=0o755)
    one.data.chmod(0o755)

    finding = bad([f async for f in disk(one)])

    assert finding.fix == f"chmod 700 {one.data}"


@pytest.mark.parametrize(("ahead", "said"), [(0.0, ""), (3600.0, "3600 s fast"), (-3600.0, "3600 s slow")])
async def test_the_clock_is_compared_with_a_provider_s(tmp_path: Path, ahead: float, said: str) -> None:
    async def dated(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 404 Not Found\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
        )
        writer.close()

    server = await asyncio.start_server(dated, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        # A gateway counts as one on the internet at any address.
        catalog = Catalog.of(
            {
                "openrouter": ProviderSettings.model_validate(
                    {"api_base": f"http://127.0.0.1:{port}", "api_key": "k"}
                )
            }
        )
        there = 1_795_348_800.0 + ahead
        one = Patient(Loaded(Config(), None), tmp_path, {}, catalog, now=lambda: there)
        (finding,) = [f async for f in clock(one)]

    assert finding.level == ("warning" if said else "ok")
    assert said in finding.text


# All of it


@pytest.mark.looptime
async def test_checks_run_side_by_side_each_within_its_time(tmp_path: Path) -> None:
    async def endless(_: Patient) -> Findings:
        yield Finding("ok", "slow", "begun")
        await asyncio.Event().wait()

    async def quick(_: Patient) -> Findings:
        yield Finding("ok", "quick", "done")

    slow = [Check(f"slow{n}", endless, seconds=0.05) for n in range(20)]
    began = asyncio.get_running_loop().time()
    findings = await examine(patient(tmp_path), [*slow, Check("quick", quick)])

    assert asyncio.get_running_loop().time() - began == pytest.approx(0.05)
    assert [f.text for f in findings[:2]] == ["begun", "did not end within 0 s"]
    assert findings[-1].text == "done"


class _Terminal:
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys  # noqa: PLC0415 -- capsys has replaced its outputs by now

    monkeypatch.delenv("NO_COLOR", raising=False)
    findings = [Finding("ok", "a", "well"), Finding("error", "long name", "ill \x1b[2J", "heal it")]

    plain = render(findings, sys.stdout)
    assert "\x1b" not in plain
    assert plain.splitlines() == [
        "ok       a          well",
        "error    long name  ill [2J",
        "                    -> heal it",
        "",
        "1 error, 0 warnings.",
    ]
    assert "\x1b[31merror" in render(findings, _Terminal())  # type: ignore[arg-type] # all it is asked
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in render(findings, _Terminal())  # type: ignore[arg-type] # as above


def test_the_exit_code_tells_the_worst() -> None:
    ok, warning, error = Finding("ok", "x", ""), Finding("warning", "x", ""), Finding("error", "x", "")

    assert [exit_code(f) for f in ([], [ok], [ok, warning], [error, warning, ok])] == [0, 0, 1, 2]


async def test_a_configuration_that_can_not_be_used_is_one_of_the_findings(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[agent]\nmax_stps = 3\n")
    options = Options(file, tmp_path / "data", verbose=False, env=dict(os.environ))

    examined = await diagnose(options, calls=False)

    assert f"{file}:2: [agent] max_stps" in examined.findings[0].text
    assert {f.subject for f in examined.findings} >= {"config", "disk", "database", "clock"}
    assert exit_code(examined.findings) == 2
