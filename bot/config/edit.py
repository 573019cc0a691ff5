"""Changing a configuration file that belongs to a person: what isn't changed stays as it stands, comments and all.

New sections go to the end of the file and new keys right below their heading, as text, so that nothing else moves;
values that stand there already are replaced in place. Whatever way was taken, the result has to hold exactly the old
data with the change made, or it isn't written.
"""

from __future__ import annotations

import copy
import os
import stat
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from bot.config import document
from bot.config.load import load_config
from bot.config.report import dotted
from bot.errors import BotError, ConfigError
from bot.paths import Env

Place = tuple[str, ...]
"""Keys from the root of the file: ("providers", "groq", "api_key")."""

_Change = tuple[Place, Mapping[str, object]]
"""New keys of one table."""


def set_values(
    file: Path,
    values: Mapping[Place, object],
    comments: Mapping[Place, str] | None = None,
    env: Env | None = None,
) -> None:
    """Set each place to its value (None removes it), in a file that is made where it is missing.

    A value that is a table is written on one line; an empty one at a place that doesn't exist makes a section without
    keys. `comments` are written above the sections and keys that are new, that of the root `()` at the top of a new
    file. The file ends up readable by its owner alone (a group that could read it still can), complete or untouched,
    and loads afterwards if it did before. Raises ConfigError where the change can't be made or would break it, BotError
    where the disk refuses.
    """
    target = file.resolve()
    before = _read(target, file)
    after = edited(before, values, comments, str(file))
    if after != before or _open_to_others(target):
        _put(target, file, after, os.environ if env is None else env)


def edited(
    text: str,
    values: Mapping[Place, object],
    comments: Mapping[Place, str] | None = None,
    called: str = "the file",
) -> str:
    """The text with the changes made. `called` is the file's name for messages. Raises ConfigError."""
    crlf = "\r\n" in text
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    notes = comments or {}
    try:
        if not text.strip() and () in notes:
            text = "\n".join(_comment(notes[()])) + "\n"
        new: dict[Place, dict[str, object]] = {}
        for place, value in values.items():
            if _holds(tomllib.loads(text), place):
                text = _replaced(text, place, value)
            elif value is not None:
                parent, key = (place, "") if value == {} else (place[:-1], place[-1])
                new.setdefault(parent, {}).update({key: value} if key else {})
        for change in new.items():
            text = _added(text, change, notes)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"{called}: is no TOML file ({error}); `nanobot check` says more"]) from error
    except _Odd as error:
        raise ConfigError([f"{called}: {error}; please put it in yourself"]) from error
    return text.replace("\n", "\r\n") if crlf else text


class _Odd(Exception):
    """A place that can't be changed here; the message says which."""


def _replaced(text: str, place: Place, value: object) -> str:
    if _at(tomllib.loads(text), place) == value or value == {}:
        return text
    return _first(text, {place: value}, (lambda: _by_library(text, place, value),))


def _added(text: str, change: _Change, notes: Mapping[Place, str]) -> str:
    parent, keys = change
    wanted = {(*parent, key): value for key, value in keys.items()} or {parent: {}}
    below = (lambda line=line: _below(text, line, change, notes) for line in _headings(text, parent))
    return _first(
        text, wanted, (*below, lambda: _section(text, change, notes), lambda: _nested(text, change))
    )


def _first(text: str, wanted: Mapping[Place, object], ways: tuple[Callable[[], str], ...]) -> str:
    """What the first way gives that leads to the old data with the change made."""
    goal = copy.deepcopy(tomllib.loads(text))
    try:
        for place, value in wanted.items():
            _put_at(goal, place, value)
    except (AttributeError, TypeError):
        raise _Odd(f"{dotted(next(iter(wanted))[:-1])} is not a section there") from None
    for way in ways:
        try:
            made = way()
            if tomllib.loads(made) == goal:
                return made
        except (tomllib.TOMLDecodeError, TOMLKitError, ValueError, TypeError, KeyError):
            continue
    raise _Odd(f"{dotted(next(iter(wanted)))} is written in a way that can't be changed here")


def _headings(text: str, place: Place) -> Iterator[int]:
    """The lines that look like the heading of this table; one inside a text would fail the check afterwards."""
    for number, line in enumerate(text.split("\n")):
        if line.lstrip().startswith("["):
            try:
                found = tomllib.loads(line)
            except tomllib.TOMLDecodeError:
                continue
            if place and found == _nest(place):
                yield number


def _below(text: str, line: int, change: _Change, notes: Mapping[Place, str]) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[: line + 1], *_lines(change, notes), *lines[line + 1 :]])


def _section(text: str, change: _Change, notes: Mapping[Place, str]) -> str:
    parent = change[0]
    lines = [*_comment(notes.get(parent)), f"[{dotted(parent)}]", *_lines(change, notes)]
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    return before + "\n".join(lines) + "\n"


def _lines(change: _Change, notes: Mapping[Place, str]) -> Iterator[str]:
    parent, keys = change
    for key, value in keys.items():
        yield from _comment(notes.get((*parent, key)))
        yield f"{dotted([key])} = {_written(value).as_string()}"


def _comment(text: str | None) -> Iterator[str]:
    return (f"# {line}".rstrip() for line in (text or "").splitlines())


def _nested(text: str, change: _Change) -> str:
    """For what stands in no section of its own: inline tables and dotted keys."""
    parent, keys = change
    for key, value in keys.items() or [("", {})]:
        text = _by_library(text, (*parent, key) if key else parent, value)
    return text


def _by_library(text: str, place: Place, value: object) -> str:
    whole = tomlkit.parse(text)
    table: Any = whole
    for key in place[:-1]:
        if key not in table:
            table[key] = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
        table = table[key]
    if value is None:
        del table[place[-1]]
    else:
        table[place[-1]] = _written(value)
    return whole.as_string()


def _written(value: object) -> Any:
    if not isinstance(value, Mapping):
        return tomlkit.item(cast("Any", value))
    table = tomlkit.inline_table()
    for key, inner in value.items():
        table[key] = _written(inner)
    return table


def _holds(data: Any, place: Place) -> bool:
    try:
        _at(data, place)
    except (KeyError, TypeError, IndexError):
        return False
    return True


def _at(data: Any, place: Place) -> Any:
    for key in place:
        data = data[key]
    return data


def _nest(place: Place) -> dict[str, Any]:
    data: dict[str, Any] = {}
    _put_at(data, place, {})
    return data


def _put_at(data: dict[str, Any], place: Place, value: object) -> None:
    for key in place[:-1]:
        data = data.setdefault(key, {})
    if value is None:
        del data[place[-1]]
    else:
        data[place[-1]] = value


def _read(target: Path, file: Path) -> str:
    try:
        return target.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BotError(f"{file}: can't be read: {error}") from error


def _open_to_others(target: Path) -> bool:
    return target.exists() and bool(target.stat().st_mode & 0o007)


def _put(target: Path, file: Path, text: str, env: Env) -> None:
    """Write the whole file anew, or leave the old one: a power cut in between loses neither."""
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Beside the target: renaming replaces a file only within one file system, and paths count from there.
        fd, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _refused(file, error) from error
    new = Path(name)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        _check(new, target, file, env)
        _same_owner(new, target)
        new.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise _refused(file, error) from error
    finally:
        new.unlink(missing_ok=True)


def _refused(file: Path, error: OSError) -> BotError:
    return BotError(f"{file}: can't be written: {error.strerror}; choose another with --config")


def _check(new: Path, old: Path, file: Path, env: Env) -> None:
    """A file that could be loaded must not be replaced by one that can't. Raises ConfigError."""
    problems = _problems(new, env)
    if problems and not (old.exists() and _problems(old, env)):
        raise ConfigError(
            [f"{file} was left as it is, since the change can't be used:"]
            + [line.replace(str(new), str(file)) for line in problems]
        )


def _problems(file: Path, env: Env) -> list[str]:
    try:
        load_config(file, env)
    except ConfigError as error:
        return error.problems
    return []


def _same_owner(new: Path, old: Path) -> None:
    """The old file's owner, and its group where that could read it: a service may depend on either."""
    if not old.exists():
        return
    had = old.stat()
    if (had.st_uid, had.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(new, had.st_uid, had.st_gid)
    private = not had.st_mode & stat.S_IRWXO
    new.chmod(0o600 | (had.st_mode & stat.S_IRGRP if private else 0))


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def values_of(file: Path) -> Mapping[str, Any]:
    """What the file says, secrets as written there; nothing where it is missing. Raises ConfigError, BotError."""
    try:
        return document.read(file).data
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise BotError(f"{file}: can't be read: {error.strerror}") from error
