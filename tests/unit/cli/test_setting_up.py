"""`nanobot init` by questions: what each answer comes to, and that nothing else of the file changes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.cli.asking import Ask
from bot.cli.choices import dollars
from bot.cli.draft import Draft
from bot.cli.init import next_steps
from bot.cli.wizard import Wizard, World
from bot.config import load_config
from providers.keycheck import Verdict
from providers.registry import FoundProvider
from providers.settings import ProviderSettings
from tests.fakes import gguf

MINE = """\
# mine
[providers.groq] # fast
api_key = "old"

[limits]
usd_per_day = 2 # enough

[people.anna]
role = "owner"
telegram = 12

[channels.telegram]
token = "1:old"
"""


class Person:
    """Types the given lines, then Enter for ever; `asked` holds the questions, hidden ones in brackets."""

    def __init__(self, *lines: str) -> None:
        self.asked: list[str] = []
        self._lines = list(lines)

    async def __call__(self, question: str, *, hidden: bool = False) -> str:
        self.asked.append(f"<{question}>" if hidden else question)
        return self._lines.pop(0) if self._lines else ""

    @property
    def unused(self) -> list[str]:
        return self._lines


class Rest:
    """The world beside the person: keys that are "bad" are refused, `shown` is what providers and Telegram saw."""

    def __init__(self, model: Path | None = None, signed: str = "sk-signed") -> None:
        self.shown: list[tuple[str, str]] = []
        self._model = model
        self._signed = signed

    async def check_key(self, name: str, settings: ProviderSettings, key: str) -> Verdict:
        self.shown.append((settings.api_base or name, key))
        return (
            Verdict("refused", f"{name} refuses it") if key == "bad" else Verdict("ok", f"{name} accepts it")
        )

    async def check_token(self, token: str, base: str) -> Verdict:
        self.shown.append((base or "telegram", token))
        return Verdict("refused", "no") if token == "bad" else Verdict("ok", "the token is that of @my_bot")

    async def sign_in(self, base: str) -> str:
        return self._signed

    async def local_model(self, ask: Ask) -> Path | None:
        return self._model


def wizard(
    file: Path, person: Person, rest: Rest | None = None, found: Sequence[FoundProvider] = ()
) -> tuple[Wizard, Draft]:
    rest = rest or Rest()
    draft = Draft(file)
    world = World(person, rest.check_key, rest.check_token, rest.sign_in, rest.local_model)
    return Wizard(draft, world, found, {"GROQ_API_KEY": "gsk-env"}), draft


async def written(
    file: Path, person: Person, rest: Rest | None = None, found: Sequence[FoundProvider] = ()
) -> str:
    asking, draft = wizard(file, person, rest, found)
    if await asking.run():
        draft.write({"GROQ_API_KEY": "gsk-env"})
    assert person.unused == [], "every line was asked for"
    return file.read_text() if file.exists() else ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return gguf.write(tmp_path / "my model.gguf")


OLLAMA = FoundProvider(
    "ollama", ProviderSettings(api_base="http://127.0.0.1:11434/v1"), why="Ollama answers with qwen"
)
ELSEWHERE = FoundProvider(
    "llama", ProviderSettings(api_base="http://10.0.0.7:8080/v1"), why="a llama-server answers"
)
KEY = FoundProvider("groq", ProviderSettings(), why="GROQ_API_KEY is set")
STARTER = FoundProvider(
    "starter", ProviderSettings(kind="starter"), why="the built-in starter model is installed"
)


async def test_enter_everywhere_writes_nothing_where_there_is_nothing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await written(file, Person()) == ""
    assert "Nothing to change" in capsys.readouterr().out


async def test_enter_everywhere_takes_what_was_found(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = await written(file, Person(), found=[OLLAMA, ELSEWHERE, KEY, STARTER])

    assert tomllib.loads(text)["providers"] == {
        "ollama": {},
        "llama": {"api_base": "http://10.0.0.7:8080/v1"},
        "groq": {"api_key": "env:GROQ_API_KEY"},
        "starter": {},
    }
    shown = capsys.readouterr().out
    for one in (OLLAMA, ELSEWHERE, KEY, STARTER):
        assert one.why in shown
    assert "gsk-env" not in shown
    assert list(load_config(file, {"GROQ_API_KEY": "k"}).config.providers) == [
        "ollama",
        "llama",
        "groq",
        "starter",
    ]


async def test_what_is_found_but_not_wanted_is_left_out(file: Path) -> None:
    text = await written(file, Person("n", "yes"), found=[OLLAMA, KEY])

    assert list(tomllib.loads(text)["providers"]) == ["groq"]


async def test_a_refused_key_of_the_environment_is_not_used(file: Path) -> None:
    class Refusing(Rest):
        async def check_key(self, name: str, settings: ProviderSettings, key: str) -> Verdict:
            return Verdict("refused", "no")

    assert await written(file, Person(), Refusing(), [KEY]) == ""


async def test_the_file_is_private_and_explains_itself(file: Path) -> None:
    text = await written(file, Person("2", "groq", "gsk-1", "", "1:token", "42"))

    assert file.stat().st_mode & 0o777 == 0o600
    for comment in ("# nanobot's configuration", "# What models that cost money may cost", "# You:"):
        assert comment in text
    assert tomllib.loads(text) == {
        "providers": {"groq": {"api_key": "gsk-1"}},
        "channels": {"telegram": {"token": "1:token"}},
        "people": {"owner": {"telegram": 42, "role": "owner"}},
        "limits": {"usd_per_day": 1.0, "usd_per_month": 10.0},
    }


async def test_run_again_with_enter_everywhere_nothing_changes(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(MINE)
    person = Person()

    assert await written(file, person, found=[OLLAMA, STARTER]) == MINE

    shown = " ".join(person.asked)
    for default in ("[2]", "[12]", "[as it is]"):
        assert default in shown, "the present values are the defaults"
    assert "Nothing to change" in capsys.readouterr().out


async def test_run_again_only_what_was_changed_changes(file: Path) -> None:
    file.write_text(MINE)

    text = await written(file, Person("2", "groq", "new", "", "2:new", "13", "3", "no"))

    assert text == MINE.replace('"old"', '"new"').replace('"1:old"', '"2:new"').replace(
        "= 12", "= 13"
    ).replace("= 2 #", "= 3.0 #")


async def test_no_removes_a_limit(file: Path) -> None:
    file.write_text(MINE)

    text = await written(file, Person("", "", "", "no"))

    assert "usd_per_day" not in text


async def test_a_refused_key_is_not_taken_and_never_shown(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person("2", "groq", "bad", "2", "Groq", "gsk-secret", "", "", "no", "no")
    text = await written(file, person)

    assert tomllib.loads(text) == {"providers": {"groq": {"api_key": "gsk-secret"}}}
    shown = capsys.readouterr().out
    assert "refused: groq refuses it" in shown
    assert "secret" not in shown
    assert sum(question.startswith("<") for question in person.asked) == 3, "two keys and a token are hidden"


async def test_a_key_in_place_of_a_name_is_not_repeated(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await written(file, Person("2", "sk-or-secret")) == ""
    assert "secret" not in capsys.readouterr().out


async def test_a_server_of_ones_own_has_an_address_and_perhaps_a_key(file: Path) -> None:
    rest = Rest()
    text = await written(file, Person("2", "http://10.0.0.5:8080/v1", "gpu", "k"), rest)

    assert tomllib.loads(text) == {
        "providers": {"gpu": {"api_base": "http://10.0.0.5:8080/v1", "api_key": "k"}}
    }
    assert rest.shown == [("http://10.0.0.5:8080/v1", "k")]


async def test_signing_in_brings_a_key(file: Path) -> None:
    assert tomllib.loads(await written(file, Person("1"))) == {
        "providers": {"openrouter": {"api_key": "sk-signed"}}
    }
    assert await written(file.with_name("none"), Person("1"), Rest(signed="")) == ""


async def test_a_fetched_model_and_one_of_ones_own(file: Path, model: Path) -> None:
    expected = {"providers": {"local_model": {"kind": "llamacpp", "gguf": str(model)}}}

    fetched, draft = wizard(file, Person("3"), Rest(model))
    assert await fetched.run()
    assert draft.told() == {
        f"providers.local_model.{k}": v for k, v in expected["providers"]["local_model"].items()
    }

    text = await written(file, Person("4", str(model)))
    assert tomllib.loads(text) == expected
    assert text.count("# A model that nanobot runs on this machine") == 1


@pytest.mark.parametrize("name", ["missing.gguf", "config.toml"])
async def test_what_is_no_model_is_said(file: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("")

    await written(file, Person("4", str(file.with_name(name))))

    assert f"{name}: " in capsys.readouterr().out
    assert file.read_text() == ""


@pytest.mark.parametrize(("answer", "taken"), [("", False), ("n", False), ("maybe", False), ("y", True)])
async def test_an_anonymous_gateway_only_after_a_yes_to_the_line_on_privacy(
    file: Path, answer: str, taken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    text = await written(file, Person("5", "kilo", answer))

    assert "may be logged, read, and used to train" in capsys.readouterr().out
    assert (tomllib.loads(text) == {"providers": {"kilo": {"anonymous": True}}}) is taken


async def test_a_refused_token_is_asked_for_again(file: Path) -> None:
    text = await written(file, Person("", "bad", "1:good", "nobody", "7"))

    assert tomllib.loads(text) == {
        "channels": {"telegram": {"token": "1:good"}},
        "people": {"owner": {"telegram": 7, "role": "owner"}},
    }


async def test_a_token_is_tried_at_the_configured_server(file: Path) -> None:
    file.write_text('[channels.telegram]\ntoken = "1:a"\nbase_url = "http://127.0.0.1:1/bot"\n')
    rest = Rest()

    await written(file, Person("", "2:b"), rest)

    assert rest.shown == [("http://127.0.0.1:1/bot", "2:b")]


async def test_free_models_alone_lead_to_no_question_about_money(file: Path) -> None:
    person = Person("1")
    await written(file, person)

    assert not any("dollars" in question for question in person.asked)


async def test_free_and_paid_ones_lead_to_the_question_whether_one_may_stand_in(file: Path) -> None:
    text = await written(file, Person("1", "2", "groq", "k", "", "", "", "", "y"))

    assert tomllib.loads(text)["limits"]["paid_fallback"] is True


async def test_no_at_the_end_leaves_the_file(file: Path) -> None:
    file.write_text(MINE)

    assert await written(file, Person("2", "groq", "new", "", "", "", "", "", "n")) == MINE


async def test_what_will_be_written_is_shown_without_secrets(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await written(file, Person("2", "groq", "gsk-secret", "", "1:secret"))

    shown = capsys.readouterr().out
    for line in ("[providers.groq]", "api_key = (not shown)", "token = (not shown)", "usd_per_day = 1.0"):
        assert f"  {line}\n" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(("said", "amount"), [("2.5", 2.5), ("$3", 3.0), ("1,50", 1.5), ("0", 0.0)])
def test_amounts_as_people_type_them(said: str, amount: float) -> None:
    assert dollars(said) == amount


@pytest.mark.parametrize("said", ["much", "-1", "nan", "inf", "1e9"])
def test_what_is_no_amount(said: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        dollars(said)


def test_next_steps_depend_on_what_there_is(file: Path) -> None:
    draft = Draft(file)
    assert [line.split("  ")[1] for line in next_steps(draft, running=False)[1:]] == [
        "nanobot doctor",
        "nanobot",
    ]

    draft.put(("channels", "telegram", "token"), "1:a")
    steps = "\n".join(next_steps(draft, running=True))
    assert "nanobot pair approve CODE" in steps
    assert "nanobot reload" in steps

    draft.put(("people", "owner", "telegram"), 3)
    assert "pair approve" not in "\n".join(next_steps(draft, running=False))
