"""Where secrets stand in a file, and where each comes from: written out, or `"env:NAME"`, `"file:PATH"`,
`"credential:NAME"`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from bot import paths
from bot.config.locate import Loc
from bot.paths import Env


class SecretMissing(Exception):
    """A secret that its reference doesn't lead to; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Secret:
    """`literal` says that the text itself stood in the file; `warning` is one line, or empty."""

    text: str
    literal: bool = False
    warning: str = ""


def places(kind: Any, data: Any, loc: Loc = ()) -> Iterator[Loc]:
    """Every place in `data` that holds a text where settings of this type want a secret.

    Read from the types: making the JSON Schema of the whole configuration for it would take 20 ms of each start.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        for one in inner:
            yield from places(one, data, loc)
    elif origin is Annotated:
        yield from places(inner[0], data, loc)
    elif kind is SecretStr:
        if isinstance(data, str):
            yield loc
    elif isinstance(data, list) and origin in (list, tuple):
        for index, value in enumerate(data):
            yield from places(inner[0], value, (*loc, index))
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from places(_below(kind, key), value, (*loc, key))


def _below(kind: Any, key: str) -> Any:
    """What stands under a key of a table, None where that is unknown."""
    if get_origin(kind) in (dict, Mapping):
        return get_args(kind)[1]
    if isinstance(kind, type) and issubclass(kind, BaseModel) and key in kind.model_fields:
        return kind.model_fields[key].annotation
    return None


def resolve(written: str, folder: Path, env: Env) -> Secret:
    """Follow a reference. Paths count from `folder`, the configuration file's own. Raises `SecretMissing`."""
    scheme, colon, rest = written.partition(":")
    if colon and scheme == "env":
        return Secret(_from_env(rest, env))
    if colon and scheme == "file":
        return _from_file(folder / paths.expand(rest, env))
    if colon and scheme == "credential":
        return _from_credential(rest, env)
    return Secret(written, literal=True)


def open_to_all(file: Path) -> bool:
    """Whether every user of the machine may read the file. One that isn't there yet will be its owner's alone."""
    return file.exists() and bool(file.stat().st_mode & stat.S_IROTH)


def _from_env(name: str, env: Env) -> str:
    if not env.get(name):
        state = "is empty" if name in env else "is not set"
        raise SecretMissing(
            f"the environment variable {name} {state}; set it where nanobot is started"
            " (for a unit: EnvironmentFile=), or use file:PATH"
        )
    return env[name]


def _from_file(file: Path) -> Secret:
    text = _read(file, "make that file, readable only by the user that nanobot runs as")
    warning = (
        f"every user of this machine can read {file}; run: chmod 600 {file}" if open_to_all(file) else ""
    )
    return Secret(text, warning=warning)


_OF_SYSTEM = Path("/etc/nanobot/credentials")
_OF_UNIT = "nanobot_"
"""What systemd/nanobot.service puts before the name of each credential."""


def _from_credential(name: str, env: Env) -> Secret:
    fix = f"write it to {_OF_SYSTEM / name}, or add LoadCredential={name}:PATH to the unit"
    if name in {"", ".", ".."} or "/" in name:
        raise SecretMissing(
            f"{name!r} is no name of a credential; expected a plain name, as in LoadCredential="
        )
    folder = env.get("CREDENTIALS_DIRECTORY")
    if not folder:
        if os.access(_OF_SYSTEM / name, os.R_OK):
            return Secret(_read(_OF_SYSTEM / name, fix))  # root, beside the service
        raise SecretMissing(f"there is no credential {name}, since systemd gave none at all; {fix}")
    # Of a folder's files, LoadCredential=nanobot:FOLDER makes credentials called nanobot_FILE (systemd.exec(5)).
    files = (Path(folder, name), Path(folder, f"{_OF_UNIT}{name}"))
    return Secret(_read(next((file for file in files if file.exists()), files[0]), fix))


def _read(file: Path, fix: str) -> str:
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SecretMissing(f"{file} can't be read: {error.strerror}; {fix}") from error
    except UnicodeDecodeError as error:
        raise SecretMissing(f"{file} holds no text; expected the secret alone, as UTF-8") from error
    if not text:
        raise SecretMissing(f"{file} is empty; write the secret into it")
    return text
