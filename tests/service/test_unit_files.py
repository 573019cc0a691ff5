"""The unit files by systemd's own judgement."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.ops import units

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze (package: systemd)"),
]


def analyze(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        env={**os.environ, "SYSTEMD_COLORS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


@pytest.fixture
def version() -> int:
    return units.version_of(analyze("--version")[1])


@pytest.fixture(params=[False, True], ids=["system", "user"])
def installed(request: pytest.FixtureRequest, tmp_path: Path, version: int) -> units.Layout:
    """The units as they would be written for a program that is there."""
    program = tmp_path / "bin" / "nanobot"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    layout = units.Layout(request.param, tmp_path / "units")
    layout.units.mkdir()
    for path, text in units.rendered(layout, units.invocation(program), version).items():
        path.write_text(text)
    return layout


def test_nothing_is_said_against_them(installed: units.Layout) -> None:
    for name in (units.UNIT, units.BACKUP, units.TIMER):
        assert analyze("verify", str(installed.path(name))) == (0, "")


@pytest.mark.parametrize("name", [units.UNIT, units.BACKUP])
def test_the_exposure_is_at_most_two(name: str, tmp_path: Path, version: int) -> None:
    layout = units.system_layout(tmp_path)
    layout.units.mkdir(parents=True)
    for path, text in units.rendered(layout, "/bin/true", version).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    code, said = analyze("security", "--offline=true", "--threshold=20", str(layout.path(name)))

    assert code == 0, said


def test_the_backups_time_is_one(version: int) -> None:
    text = (Path(units.__file__).parents[2] / "systemd" / units.TIMER).read_text()
    (when,) = [line.partition("=")[2] for line in text.splitlines() if line.startswith("OnCalendar=")]

    code, said = analyze("calendar", when)

    assert code == 0, said
