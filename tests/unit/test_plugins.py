"""Open folders: what is in them is found by its file's name and loaded only when asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import plugins
from bot.plugins import PluginError

Add = Callable[..., None]


@dataclass
class Spec:
    kind: str


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Adds a file to a package `folder` that only this test can import."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def add(name: str, source: str) -> None:
        path = tmp_path / "folder" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)

    yield add
    for name in [name for name in sys.modules if name.partition(".")[0] == "folder"]:
        del sys.modules[name]


def spec(kind: str) -> str:
    return f"from {__name__} import Spec\nSPEC = Spec({kind!r})\n"


def test_names_are_those_of_files_and_folders_and_none_is_imported(add: Add) -> None:
    add("zebra.py", "raise RuntimeError")
    add("ape/__init__.py", "raise RuntimeError")
    add("_hidden.py", "raise RuntimeError")

    assert plugins.names("folder") == ["ape", "zebra"]


def test_one_is_loaded_without_the_others(add: Add) -> None:
    add("good.py", spec("good"))
    add("bad.py", "raise RuntimeError")

    assert plugins.load("folder", "good", Spec) == Spec("good")
    assert "folder.bad" not in sys.modules


def test_a_folder_that_joins_the_package_later_counts(add: Add, tmp_path: Path) -> None:
    add("good.py", spec("good"))
    more = tmp_path / "more"
    more.mkdir()
    (more / "late.py").write_text(spec("late"))
    assert plugins.names("folder") == ["good"]

    sys.modules["folder"].__path__.append(str(more))

    assert plugins.names("folder") == ["good", "late"]
    assert plugins.load("folder", "late", Spec) == Spec("late")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("god", "folder has no 'god'; did you mean good?"),
        ("zebra", "folder has no 'zebra'; there are: good"),
        ("good.inner", "folder has no 'good.inner'; there are: good"),
        ("../good", "folder has no '../good'; did you mean good?"),
    ],
)
def test_a_name_that_is_not_there(add: Add, name: str, said: str) -> None:
    add("good.py", spec("good"))

    with pytest.raises(PluginError) as caught:
        plugins.load("folder", name, Spec)

    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "{file}: exports no SPEC; expected SPEC: Spec"),
        ("SPEC = 5", "{file}: exports a SPEC of type int; expected SPEC: Spec"),
        (spec("other"), "{file}: its SPEC is called 'other'; expected 'broken', the file's own name"),
        ("import nowhere.at_all", "{file}: needs the Python module 'nowhere', which is not installed"),
        (
            "from os import nothing",
            "{file}: can't be imported: ImportError: cannot import name 'nothing' from 'os'",
        ),
        ("x = 1\nx = = 2", "{file}:2: is not valid Python: invalid syntax"),
        ("1 / 0", "{file}: can't be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(
    add: Add, tmp_path: Path, source: str, said: str
) -> None:
    add("broken.py", source)

    with pytest.raises(PluginError) as caught:
        plugins.load("folder", "broken", Spec)

    assert str(caught.value).startswith(said.format(file=tmp_path / "folder" / "broken.py"))
    assert caught.value.exit_code == 2


def test_the_same_for_a_folder(add: Add, tmp_path: Path) -> None:
    add("broken/__init__.py", "1 / 0")

    with pytest.raises(PluginError) as caught:
        plugins.load("folder", "broken", Spec)

    assert str(caught.value).startswith(f"{tmp_path}/folder/broken/__init__.py: can't be imported")
