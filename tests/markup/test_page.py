"""docs/MARKUP.md shows what the renderers make of the hard page today."""

from __future__ import annotations

import pytest

from tests.markup import page


@pytest.mark.parametrize("name", ["markdown", *page.DIALECTS])
def test_the_page_shows_what_is_rendered(name: str) -> None:
    assert page.kept(name) == page.made()[name], "python -m tests.markup renews the page"
