"""What a page points to is there: other pages, headings, files of this repository, tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from providers.presets import PRESETS
from tests.docs.pages import PAGES, ROOT, Page, pages, read

_TREES = ("bot/", "channels/", "providers/", "tests/", "docs/", "systemd/", "bench/", "scripts/")
_TESTED = re.compile(r"`(tests/[\w/.]+?)(?:::(\w+))?`")
each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.path.name)


@each_page
def test_links_lead_somewhere(page: Page) -> None:
    for line, target in page.links():
        file, _, anchor = target.partition("#")
        there = (page.path.parent / file).resolve() if file else page.path
        assert there.exists(), f"{page.path.name}:{line}: {target}"
        if anchor and there.suffix == ".md":
            assert anchor in read(there).anchors(), f"{page.path.name}:{line}: {target}"


@each_page
def test_files_of_this_repository_that_it_names_are_there(page: Page) -> None:
    for line, span in page.spans():
        path = span.split("::")[0]
        if path == "channels/whatsapp/":  # of the data folder
            continue
        if path.startswith(_TREES) and re.fullmatch(r"[\w./-]+", path):
            assert (ROOT / path).exists(), f"{page.path.name}:{line}: {path}"


def test_every_page_can_be_reached_from_the_first_one() -> None:
    reached: set[Path] = set()
    found = [ROOT / "README.md"]
    while found:
        page = found.pop()
        if page in reached:
            continue
        reached.add(page)
        found += [
            (page.parent / file).resolve()
            for _, target in read(page).links()
            if (file := target.partition("#")[0]).endswith(".md")
        ]
    assert set(PAGES) <= reached


def defined(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@each_page
def test_tests_that_it_names_are_defined(page: Page) -> None:
    for number, line in enumerate(page.lines, 1):
        for path, function in _TESTED.findall(line):
            if function:
                assert function in defined(ROOT / path), f"{page.path.name}:{number}: {path}::{function}"


def test_every_known_provider_is_listed_with_its_keys() -> None:
    rows = [line for line in read(ROOT / "docs" / "PROVIDERS.md").lines if line.startswith("| `")]
    for preset in PRESETS.values():
        row = next(row for row in rows if f"`{preset.name}`" in row.split("|")[1])
        assert all(f"`{name}`" in row for name in preset.env), row


def test_each_line_of_the_survival_table_names_its_test() -> None:
    page = read(ROOT / "docs" / "SURVIVAL.md")
    rows = [line for line in page.lines if line.startswith("|")][2:]
    assert len(rows) > 15
    assert [row for row in rows if not _TESTED.search(row)] == []
