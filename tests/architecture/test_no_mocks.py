"""Tests use the public fakes; unittest.mock and its fixtures stay out, in every tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.tree import PACKAGES, ROOT


def mocks(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.arg):
            names = [node.arg]
        else:
            continue
        yield from (
            name for name in names if name.startswith(("unittest.mock", "mock.", "mocker")) or name == "mock"
        )


def test_nothing_is_mocked() -> None:
    files = [path for folder in (*PACKAGES, "tests", "bench") for path in (ROOT / folder).rglob("*.py")]

    found = [f"{path.relative_to(ROOT)}: {name}" for path in files for name in mocks(path.read_text())]

    assert files
    assert found == []


def test_a_mock_would_be_found() -> None:
    source = "from unittest import mock\nimport unittest.mock as m\ndef test(mocker): ..."

    assert sorted(mocks(source)) == ["mocker", "unittest.mock", "unittest.mock"]
