"""What `nanobot service` writes and does, and what it says of units that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import BotError
from bot.ops import units
from bot.ops.doctor_service import compared
from bot.ops.installing import Machine, Run, Write, to_install, to_uninstall, unreadable

PROGRAM = Path("/opt/nanobot/bin/nanobot")


def commands(steps: list[object]) -> list[str]:
    return [" ".join(step.argv) for step in steps if isinstance(step, Run)]


def written(layout: units.Layout, command: str, systemd: int = 252) -> dict[Path, str]:
    files = units.rendered(layout, command, systemd)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return files


def test_the_unit_starts_this_program_with_these_options() -> None:
    command = units.invocation(Path("/srv/my bots/nanobot"), Path("/etc/n.toml"))
    text = units.rendered(units.system_layout(), command, 252)[Path("/etc/systemd/system/nanobot.service")]

    assert 'ExecStart="/srv/my bots/nanobot" --config /etc/n.toml run\n' in text
    assert 'ExecReload="/srv/my bots/nanobot" --config /etc/n.toml reload\n' in text
    assert "/opt/nanobot" not in text
    assert units.invoked(text) == command
    assert units.program_of(command) == Path("/srv/my bots/nanobot")


@pytest.mark.parametrize("path", ["/srv/100%/nanobot", '/srv/"/nanobot', "/srv/$HOME/nanobot", "/srv/a\nb"])
def test_a_path_that_systemd_would_take_for_something_else_is_refused(path: str) -> None:
    with pytest.raises(BotError, match="can't stand in a unit file"):
        units.invocation(Path(path))


@pytest.mark.parametrize(("systemd", "backs_off"), [(252, False), (254, True), (257, True), (0, False)])
def test_a_systemd_that_can_tries_less_and_less_often(systemd: int, backs_off: bool) -> None:
    text = units.rendered(units.system_layout(), str(PROGRAM), systemd)[units.system_layout().unit]

    assert ("RestartSteps=" in text, "RestartMaxDelaySec=" in text) == (backs_off, backs_off)


def test_a_users_units_lie_with_their_other_configuration() -> None:
    home = Path("/home/me")

    assert units.user_layout({}, home).unit == Path("/home/me/.config/systemd/user/nanobot.service")
    assert units.user_layout({"XDG_CONFIG_HOME": "/c"}, home).units == Path("/c/systemd/user")


def test_a_changed_unit_is_noticed(tmp_path: Path) -> None:
    layout = units.system_layout(tmp_path)
    files = written(layout, str(PROGRAM))
    assert units.drifted(layout, 252) == []

    layout.unit.write_text(files[layout.unit].replace("ProtectHome=yes", "ProtectHome=no"))
    layout.path(units.TIMER).unlink()

    assert {one.path.name: one.what for one in units.drifted(layout, 252)} == {
        "nanobot.service": "is not what this version writes",
        "nanobot-backup.timer": "is missing",
    }
    assert next(one.what for one in units.drifted(layout, 254)) == "is not what this version writes"


def test_the_doctor_names_drift_and_leaves_other_installations_alone(tmp_path: Path) -> None:
    layout = units.system_layout(tmp_path)
    files = written(layout, str(PROGRAM))
    (well,) = compared(layout, 252, PROGRAM)
    (other,) = compared(layout, 252, Path("/elsewhere/nanobot"))
    layout.unit.write_text(files[layout.unit] + "Nice=3\n")
    (drift,) = compared(layout, 252, PROGRAM)

    assert (well.level, well.text.endswith("is as this version writes it")) == ("ok", True)
    assert (other.level, "not this nanobot" in other.text) == ("ok", True)
    assert (drift.level, drift.fix) == ("warning", "nanobot service install (as root)")


def test_the_first_time_everything_is_written_and_started() -> None:
    layout = units.system_layout()
    files = units.rendered(layout, str(PROGRAM), 252)
    config = Path("/etc/nanobot/config.toml")

    steps = to_install(layout, files, Machine({}, running=False, config=config))

    assert [step.path for step in steps if isinstance(step, Write)] == list(files)
    assert "write   /etc/systemd/system/nanobot.service" in [str(step) for step in steps]
    assert commands([*steps]) == [
        "systemd-sysusers /etc/sysusers.d/nanobot.conf",
        "chgrp nanobot /etc/nanobot/config.toml",
        "chmod 640 /etc/nanobot/config.toml",
        "systemctl daemon-reload",
        "systemctl enable nanobot.service nanobot-backup.timer",
        "systemctl start nanobot.service nanobot-backup.timer",
    ]


def test_a_changed_unit_is_renewed_and_the_service_restarted() -> None:
    layout = units.system_layout()
    files = units.rendered(layout, str(PROGRAM), 252)
    there = {**files, layout.unit: "old"}

    steps = to_install(layout, files, Machine(there, running=True, credentials=True))

    assert [str(step) for step in steps if isinstance(step, Write)] == [
        "renew   /etc/systemd/system/nanobot.service"
    ]
    assert commands([*steps])[-1] == "systemctl restart nanobot.service nanobot-backup.timer"


def test_a_user_gets_lingering_and_nothing_of_the_systems(tmp_path: Path) -> None:
    layout = units.user_layout({}, tmp_path)
    files = units.rendered(layout, str(PROGRAM), 252)

    steps = to_install(layout, files, Machine({}, running=False, user="anna"))

    assert all(path.is_relative_to(tmp_path) for path in files)
    assert commands([*steps])[0] == "loginctl enable-linger anna"
    assert all(command.startswith(("loginctl ", "systemctl --user ")) for command in commands([*steps]))


def test_only_units_are_removed() -> None:
    layout = units.system_layout()
    files = units.rendered(layout, str(PROGRAM), 252)

    assert to_uninstall(layout, Machine({}, running=False)) == []
    assert [str(step) for step in to_uninstall(layout, Machine(files, running=True))] == [
        "run     systemctl disable --now nanobot.service nanobot-backup.timer",
        "remove  /etc/systemd/system/nanobot.service",
        "remove  /etc/systemd/system/nanobot-backup.service",
        "remove  /etc/systemd/system/nanobot-backup.timer",
        "run     systemctl daemon-reload",
    ]


def test_what_the_shut_in_service_cannot_see() -> None:
    assert units.unseen([Path("/opt/nanobot"), Path("/usr")]) is None
    assert units.unseen([Path("/opt/nanobot"), Path("/home/me/nanobot/.venv")]) == Path(
        "/home/me/nanobot/.venv"
    )
    assert units.unseen([Path("/homes/nanobot")]) is None


@pytest.mark.parametrize(
    ("mode", "group", "closed"), [(0o600, True, True), (0o640, True, False), (0o644, False, False)]
)
def test_a_configuration_that_the_services_user_cannot_read(
    tmp_path: Path, mode: int, group: bool, closed: bool
) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(mode)

    assert unreadable(file, file.stat().st_gid if group else None) is closed
    assert not unreadable(tmp_path / "none", None)


def test_the_version_of_systemd() -> None:
    assert units.version_of("systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT") == 252
    assert units.version_of("") == 0
