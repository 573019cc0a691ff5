"""The first-run choice: when it comes, and what each answer does."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.firstrun import MARKER, FirstRun, Means, nothing_found, ready
from bot.cli.options import Options
from bot.config import load_config
from providers.keycheck import Verdict
from providers.settings import ProviderSettings
from tests.fakes.control import FakeControl


class Person:
    """Types the given lines; `asked` holds the questions, hidden ones in brackets."""

    def __init__(self, *lines: str) -> None:
        self.asked: list[str] = []
        self._lines = list(lines)

    async def __call__(self, question: str, *, hidden: bool = False) -> str:
        self.asked.append(f"[{question}]" if hidden else question)
        if not self._lines:
            raise EOFError
        return self._lines.pop(0)


class Installer:
    def __init__(self, *results: bool) -> None:
        self.results = list(results)

    async def __call__(self) -> bool:
        return self.results.pop(0)


async def accepted(name: str, settings: ProviderSettings, key: str) -> Verdict:
    return (
        Verdict("refused", "groq refuses this key") if key == "wrong" else Verdict("ok", f"{name} accepts it")
    )


def first_run(
    options: Options, person: Person, *installs: bool, sign_ins: tuple[bool, ...] = ()
) -> tuple[FirstRun, Installer]:
    installer = Installer(*installs)
    return FirstRun(options, None, Means(person, accepted, installer, Installer(*sign_ins))), installer


def marker(options: Options) -> str:
    file = options.data_folder / MARKER
    return file.read_text().strip() if file.exists() else ""


@pytest.mark.parametrize("line", ["", "2", " 2 "])
async def test_enter_takes_the_built_in_model(options: Options, line: str) -> None:
    choosing, installer = first_run(options, Person(line), True)

    assert not await choosing.choose()
    assert installer.results == []
    assert marker(options) == "built-in"


async def test_an_installation_that_failed_leads_back_to_the_choice(options: Options) -> None:
    choosing, installer = first_run(options, Person("2", "3"), False)

    assert not await choosing.choose()
    assert installer.results == []
    assert marker(options) == "skip"


async def test_skipping_is_remembered(options: Options) -> None:
    choosing, _ = first_run(options, Person("3"))

    assert not await choosing.choose()
    assert marker(options) == "skip"


async def test_anything_else_is_asked_again(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    person = Person("5", "yes", "3")
    choosing, _ = first_run(options, person)
    await choosing.choose()

    assert len(person.asked) == 3
    assert "1, 2, 3 or 4" in capsys.readouterr().out


async def test_signing_in_configures_and_a_failed_one_leads_back(options: Options) -> None:
    signed_in, _ = first_run(options, Person("4"), sign_ins=(True,))
    not_signed_in, _ = first_run(options, Person("4", "3"), sign_ins=(False,))

    assert await signed_in.choose()
    assert not await not_signed_in.choose()
    assert marker(options) == "skip"


async def test_a_key_goes_into_the_users_configuration(options: Options) -> None:
    person = Person("1", "", "sk-or-1")
    choosing, _ = first_run(options, person)

    assert await choosing.choose()

    file = Path(os.environ["HOME"]) / ".config/nanobot/config.toml"
    assert tomllib.loads(file.read_text()) == {"providers": {"openrouter": {"api_key": "sk-or-1"}}}
    assert [question[0] for question in person.asked].count("[") == 1, "only the key is hidden"
    assert marker(options) == "", "a configured provider is not asked about anyway"


async def test_another_provider_and_a_named_file(options: Options, tmp_path: Path) -> None:
    named = replace(options, config=tmp_path / "my.toml")
    choosing, _ = first_run(named, Person("1", "Groq", "gsk-1"))

    assert await choosing.choose()
    assert "groq" in (tmp_path / "my.toml").read_text()


async def test_the_file_in_use_is_the_one_that_grows(options: Options, tmp_path: Path) -> None:
    (tmp_path / "used.toml").write_text("[agent]\nmax_steps = 3\n")
    means = Means(Person("1", "", "sk-1"), accepted, Installer(), Installer())
    choosing = FirstRun(options, tmp_path / "used.toml", means)

    assert await choosing.choose()
    assert "max_steps = 3" in (tmp_path / "used.toml").read_text()


@pytest.mark.parametrize(
    "lines",
    [("1", "nobody", "3"), ("1", "", "", "3"), ("1", "groq", "wrong", "3")],
    ids=["name", "empty", "key"],
)
async def test_what_does_not_work_leads_back_to_the_choice(options: Options, lines: tuple[str, ...]) -> None:
    choosing, _ = first_run(options, Person(*lines))

    assert not await choosing.choose()
    assert not (Path(os.environ["HOME"]) / ".config").exists()
    assert marker(options) == "skip"


async def test_nobody_is_asked_while_a_bot_runs(control: FakeControl, options: Options) -> None:
    assert await ready(options) is None


async def test_nobody_is_asked_without_a_terminal(
    options: Options, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await ready(options) is not None
    assert capfd.readouterr().out == ""


async def test_a_key_in_the_environment_is_something(options: Options) -> None:
    found = replace(options, env={**options.env, "GROQ_API_KEY": "gsk-1"})

    assert not await nothing_found(found.load(), found)


async def test_a_configured_provider_is_something(options: Options, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[providers.x]\napi_base = "http://127.0.0.1:9/v1"\n')

    assert not await nothing_found(load_config(tmp_path / "c.toml", {}), options)


async def test_a_key_in_place_of_a_name_is_not_shown_again(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    choosing, _ = first_run(options, Person("1", "sk-or-secret", "3"))
    await choosing.choose()

    assert "secret" not in capsys.readouterr().out


async def test_where_the_free_keys_are_made_is_said(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    choosing, _ = first_run(options, Person("1", "", "sk-or-1"))
    await choosing.choose()

    assert "https://openrouter.ai/settings/keys" in capsys.readouterr().out
