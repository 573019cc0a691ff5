"""`nanobot service`: what it shows, what it asks, and where it refuses. Nothing here touches this machine's systemd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.options import Options
from bot.cli.service import Wish, carry_out, own_is_meant, refusal, render
from bot.cli.upkeep import systems_own
from bot.ops.installing import Write

UNIT = "/etc/systemd/system/nanobot.service"
OPTIONS = Options(None, None, False, {"HOME": "/home/me"})


@pytest.mark.parametrize(
    ("user", "systemd", "root", "said"),
    [
        (False, False, True, "wasn't booted by systemd"),
        (True, False, False, "have whatever starts programs here run `nanobot run`"),
        (False, True, False, "use sudo, or take one of your own with --user"),
        (True, True, True, "run it as yourself"),
    ],
)
def test_it_refuses_in_clear_words(user: bool, systemd: bool, root: bool, said: str) -> None:
    assert said in refusal(Wish(user=user), systemd=systemd, root=root)


def test_root_installs_the_systems_and_others_their_own() -> None:
    assert refusal(Wish(), systemd=True, root=True) == ""
    assert refusal(Wish(user=True), systemd=True, root=False) == ""


async def test_a_dry_run_only_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nanobot.service"

    done = await carry_out([Write(file, "text", new=True)], OPTIONS, Wish(dry_run=True))

    assert not done
    assert not file.exists()
    assert capsys.readouterr().out == f"  write   {file}\nNothing was done (--dry-run).\n"


def test_the_log_is_that_of_the_service_which_failed_to_start(tmp_path: Path) -> None:
    unit = tmp_path / "nanobot.service"
    assert not systems_own(None, unit)
    unit.touch()
    assert systems_own(None, unit)
    assert systems_own(Path("/run/nanobot/control.sock"), unit)
    assert not systems_own(Path("/run/user/1000/nanobot/control.sock"), unit)


@pytest.mark.skipif(Path(UNIT).exists(), reason="nanobot is a service of this machine")
def test_the_status_of_a_service_of_ones_own_is_shown_unasked(tmp_path: Path) -> None:
    options = replace(OPTIONS, env={"HOME": str(tmp_path)})
    assert not own_is_meant(options, user=False)

    unit = tmp_path / ".config/systemd/user/nanobot.service"
    unit.parent.mkdir(parents=True)
    unit.touch()

    assert own_is_meant(options, user=False)


def report(**more: object) -> dict[str, object]:
    return {"unit": UNIT, "installed": True, "booted": True, "starts": "/opt/nanobot/bin/nanobot", **more}


def test_the_state_with_all_that_is_wrong() -> None:
    systemd = {
        "ActiveState": "activating", "SubState": "auto-restart", "UnitFileState": "enabled", "MainPID": "0",
        "NRestarts": "7", "StatusText": "", "Result": "watchdog",
    }  # fmt: skip
    drift = {UNIT: "is not what this version writes"}

    assert render(report(systemd=systemd, drift=drift), user=False).splitlines() == [
        "unit      /etc/systemd/system/nanobot.service",
        "starts    /opt/nanobot/bin/nanobot",
        "state     activating (auto-restart), enabled",
        "restarts  7",
        "! the last end was: watchdog; `journalctl -u nanobot` says more",
        f"! {UNIT} is not what this version writes; `nanobot service install` renews it",
    ]


def test_a_machine_without_the_service_or_without_systemd() -> None:
    assert "`nanobot service install --user --dry-run`" in render(report(installed=False), user=True)
    assert "wasn't booted by systemd" in render(report(booted=False), user=False)
