"""With --no-skips, which CI gives the tests against real counterparts, a skipped test is a failed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

_SAMPLES = {
    "marked": "import pytest\n@pytest.mark.skip(reason='because')\ndef test(): ...",
    "called": "import pytest\ndef test(): pytest.skip('because')",
    "module": "import pytest\npytest.importorskip('no_such_module', reason='because')\ndef test(): ...",
}


def run_pytest(folder: Path, *options: str) -> tuple[int, str]:
    (folder / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "/dev/null",
        "--rootdir",
        str(folder),
        *options,
        str(folder),
    ]
    bare = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the plugins take half a second to load
    done = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("how", _SAMPLES)
def test_a_skip_fails_and_gives_its_reason(how: str, tmp_path: Path) -> None:
    (tmp_path / "test_passes.py").write_text("def test(): ...")
    (tmp_path / "test_skips.py").write_text(_SAMPLES[how])

    permitted, _ = run_pytest(tmp_path)
    refused, report = run_pytest(tmp_path, "--no-skips")

    assert (permitted, refused != 0) == (0, True), report
    assert "not permitted with --no-skips: " in report
    assert "because" in report


def test_passing_and_expected_failures_are_permitted(tmp_path: Path) -> None:
    expected = (
        "import pytest\n@pytest.mark.xfail(strict=True)\ndef test(): assert False\ndef test_passes(): ..."
    )
    (tmp_path / "test_it.py").write_text(expected)

    code, report = run_pytest(tmp_path, "--no-skips")

    assert code == 0, report
