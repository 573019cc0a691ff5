"""Where a secret may come from, and what is said when it isn't there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config import Loaded
from tests.unit.config.conftest import Load

Problems = Callable[..., list[str]]


def key_of(loaded: Loaded) -> str:
    key = loaded.config.providers["groq"].api_key
    assert isinstance(key, SecretStr)
    return key.get_secret_value()


def provider(key: str) -> str:
    return f'[providers.groq]\napi_key = "{key}"\n'


def private(path: Path, content: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(content)
    return path


def test_written_out(load: Load) -> None:
    loaded = load(provider("gsk-1"))

    assert key_of(loaded) == "gsk-1"
    assert loaded.notices == ()


def test_from_the_environment(load: Load) -> None:
    assert key_of(load(provider("env:MY_KEY"), MY_KEY="gsk-2")) == "gsk-2"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_from_a_file_beside_the_configuration(load: Load, tmp_path: Path, ending: str) -> None:
    private(tmp_path / "groq.key", f"gsk 3{ending}")

    loaded = load(provider("file:groq.key"))

    assert key_of(loaded) == "gsk 3"
    assert loaded.notices == ()


def test_from_a_file_in_the_home(load: Load, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    private(home / "key", "gsk-4")

    assert key_of(load(provider("file:~/key"), HOME=str(home))) == "gsk-4"


def test_from_systemds_credentials(load: Load, tmp_path: Path) -> None:
    private(tmp_path / "groq", "gsk-5\n")

    assert key_of(load(provider("credential:groq"), CREDENTIALS_DIRECTORY=str(tmp_path))) == "gsk-5"


def test_from_the_folder_of_credentials_that_the_unit_names(load: Load, tmp_path: Path) -> None:
    private(tmp_path / "nanobot_groq", "gsk-6\n")

    assert key_of(load(provider("credential:groq"), CREDENTIALS_DIRECTORY=str(tmp_path))) == "gsk-6"


def test_a_channels_own_check_sees_the_secret_not_the_reference(load: Load) -> None:
    config = load('[channels.pigeon]\nseed = "env:SEED"\n', SEED="grain-9").config

    assert config.channels["pigeon"].model_dump()["seed"].get_secret_value() == "grain-9"


def test_a_reference_is_only_followed_where_a_secret_is_wanted(load: Load) -> None:
    config = load('[workspace]\npath = "file:notes"\n').config

    assert config.workspace.path == "file:notes"


def test_a_colon_alone_makes_no_reference(load: Load) -> None:
    assert key_of(load(provider("user:pass"))) == "user:pass"


def test_a_secret_is_shown_nowhere(load: Load) -> None:
    assert "gsk-1" not in repr(load(provider("gsk-1")))


@pytest.mark.parametrize(
    ("reference", "env", "said"),
    [
        ("env:MY_KEY", {}, "the environment variable MY_KEY is not set; set it where nanobot is started"),
        (
            "env:MY_KEY",
            {"MY_KEY": ""},
            "the environment variable MY_KEY is empty; set it where nanobot is started",
        ),
        ("file:nowhere", {}, "nowhere can't be read: No such file or directory; make that file"),
        ("file:.", {}, "can't be read: Is a directory; make that file"),
        ("file:empty", {}, "empty is empty; write the secret into it"),
        ("file:binary", {}, "binary holds no text; expected the secret alone, as UTF-8"),
        (
            "credential:groq",
            {},
            "there is no credential groq, since systemd gave none at all; write it to /etc/nanobot/credentials/groq,",
        ),
        (
            "credential:groq",
            {"CREDENTIALS_DIRECTORY": "/nowhere"},
            "/nowhere/groq can't be read: No such file or directory; write it to /etc/nanobot/credentials/groq,",
        ),
        (
            "credential:../groq",
            {"CREDENTIALS_DIRECTORY": "/nowhere"},
            "'../groq' is no name of a credential; expected a plain name",
        ),
    ],
)
def test_a_secret_that_is_missing_is_named_with_the_fix(
    problems: Problems, tmp_path: Path, reference: str, env: dict[str, str], said: str
) -> None:
    private(tmp_path / "empty", "\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    (line,) = problems(provider(reference), **env)

    assert line.startswith("config.toml:2: [providers.groq] api_key: ")
    assert said in line


def test_a_key_file_that_everybody_may_read_is_pointed_out(load: Load, file: Path, tmp_path: Path) -> None:
    path = private(tmp_path / "groq.key", "gsk-6")
    path.chmod(0o644)

    assert load(provider("file:groq.key")).notices == (
        f"{file}:2: [providers.groq] api_key: every user of this machine can read {path}; run: chmod 600 {path}",
    )


def test_a_configuration_with_secrets_that_everybody_may_read_is_pointed_out_once(
    load: Load, file: Path
) -> None:
    file.chmod(0o644)

    assert load(provider("gsk-7") + '[channels.pigeon]\nseed = "grain-1"\n').notices == (
        f"{file}:2: [providers.groq] api_key: every user of this machine can read this secret; run: chmod 600 {file}",
        f"{file}:4: [channels.pigeon] seed: every user of this machine can read this secret; run: chmod 600 {file}",
    )


def test_a_configuration_without_secrets_may_be_read_by_everybody(load: Load, file: Path) -> None:
    file.chmod(0o644)

    assert load(provider("env:MY_KEY"), MY_KEY="gsk-8").notices == ()
