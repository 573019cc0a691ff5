"""The example files of docs/EXTENDING.md, put into the open folders for a test."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path, PurePosixPath

import pytest

from tests.docs.pages import ROOT, read

_FILE = re.compile(r"file: (\S+)")


@pytest.fixture
def examples(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lies in a folder of its own, which counts as a part of the open one."""
    for block in read(ROOT / "docs" / "EXTENDING.md").blocks:
        if (named := _FILE.fullmatch(block.note)) is None:
            continue
        place = PurePosixPath(named[1])
        folder = tmp_path_factory.mktemp(place.stem)
        Path(folder, place.name).write_text(block.text, encoding="utf-8")
        package = importlib.import_module(".".join(place.parent.parts))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        monkeypatch.delitem(sys.modules, f"{package.__name__}.{place.stem}", raising=False)
