"""Where things lie, from arguments and environment."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from bot import paths
from bot.errors import BotError

HOME = {"HOME": "/home/me"}
RUNTIME = {**HOME, "XDG_RUNTIME_DIR": "/run/user/1"}
DATA = Path("/home/me/.local/share/nanobot")


@pytest.mark.parametrize(
    ("given", "env", "expected"),
    [
        (None, HOME, None),
        (None, {**HOME, "NANOBOT_CONFIG": ""}, None),
        (None, {**HOME, "NANOBOT_CONFIG": "~/n.toml"}, Path("/home/me/n.toml")),
        ("given.toml", {**HOME, "NANOBOT_CONFIG": "/other"}, Path("given.toml")),
    ],
)
def test_a_configuration_is_named_by_argument_or_environment(
    given: str | None, env: dict[str, str], expected: Path | None
) -> None:
    assert paths.named_config(given, env) == expected


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (HOME, "/home/me/.config/nanobot/config.toml"),
        ({**HOME, "XDG_CONFIG_HOME": "/conf"}, "/conf/nanobot/config.toml"),
        ({**HOME, "XDG_CONFIG_HOME": "not/absolute"}, "/home/me/.config/nanobot/config.toml"),
    ],
)
def test_the_users_configuration_comes_before_the_systems(env: dict[str, str], expected: str) -> None:
    assert paths.usual_configs(env) == (Path(expected), Path("/etc/nanobot/config.toml"))


@pytest.mark.parametrize(
    ("given", "env", "expected"),
    [
        (None, HOME, DATA),
        (None, {**HOME, "XDG_DATA_HOME": "/data"}, Path("/data/nanobot")),
        (None, {**HOME, "STATE_DIRECTORY": "/state/a:/state/b"}, Path("/state/a")),
        (None, {**HOME, "STATE_DIRECTORY": "/state/a", "NANOBOT_DATA": "~/d"}, Path("/home/me/d")),
        ("/given", {**HOME, "STATE_DIRECTORY": "/state/a", "NANOBOT_DATA": "/d"}, Path("/given")),
        ("relative", HOME, Path.cwd() / "relative"),
    ],
)
def test_data(given: str | None, env: dict[str, str], expected: Path) -> None:
    assert paths.data_folder(given, env) == expected


def test_two_names_of_one_data_folder_are_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert paths.data_folder(tmp_path / "link", HOME) == paths.data_folder(tmp_path / "real", HOME)


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (None, "/data/workspace"),
        ("notes", "/data/notes"),
        ("~/notes", "/home/me/notes"),
        ("/notes", "/notes"),
    ],
)
def test_workspace(configured: str | None, expected: str) -> None:
    assert paths.workspace_folder(configured, Path("/data"), HOME) == Path(expected)


def test_the_socket_of_a_unit_lies_in_its_runtime_folder() -> None:
    env = {**RUNTIME, "RUNTIME_DIRECTORY": "/run/nanobot:/run/other"}

    assert paths.socket_path(DATA, env) == Path("/run/nanobot/control.sock")


def test_without_a_runtime_folder_the_socket_lies_beside_the_data() -> None:
    assert paths.socket_path(DATA, HOME) == DATA / "control.sock"


def test_the_sockets_of_two_data_folders_differ() -> None:
    one, other = paths.socket_path(DATA, RUNTIME), paths.socket_path(Path("/other"), RUNTIME)

    assert one.parent == other.parent == Path("/run/user/1/nanobot")
    assert one != other


@pytest.mark.parametrize("env", [HOME, RUNTIME, {**HOME, "RUNTIME_DIRECTORY": "/run/nanobot"}])
def test_a_command_looks_where_the_daemon_listens(env: dict[str, str]) -> None:
    assert paths.socket_path(DATA, env) in paths.socket_candidates(None, env)


def test_a_unit_is_preferred_unless_a_data_folder_is_named() -> None:
    unit = Path("/run/nanobot/control.sock")

    assert paths.socket_candidates(None, RUNTIME)[0] == unit
    assert unit not in paths.socket_candidates("/data", RUNTIME)
    assert unit not in paths.socket_candidates(None, {**RUNTIME, "NANOBOT_DATA": "/data"})


def test_a_command_without_a_runtime_folder_still_looks_in_the_users() -> None:
    own = {**HOME, "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"}

    assert paths.socket_path(DATA, own) in paths.socket_candidates(None, HOME)


def test_a_daemon_without_a_runtime_folder_is_found_by_a_command_that_has_one() -> None:
    assert paths.socket_path(DATA, HOME) in paths.socket_candidates(None, RUNTIME)


def test_a_path_too_long_for_a_socket_becomes_a_short_one_of_its_own() -> None:
    deep = Path("/", *["deep" * 10] * 4)
    one, other = paths.socket_path(deep / "a", HOME), paths.socket_path(deep / "b", HOME)

    assert one == paths.socket_path(deep / "a", HOME)
    assert one != other
    assert len(os.fsencode(one)) <= paths.MAX_SOCKET_PATH


def test_the_longest_path_that_is_kept_can_be_bound_and_no_longer_one() -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = paths.MAX_SOCKET_PATH - len(os.fsencode(Path(folder, "x", paths.SOCKET_NAME))) + 1
        longest, longer = Path(folder, "x" * room), Path(folder, "x" * (room + 1))
        for data in (longest, longer):
            data.mkdir()
        kept = paths.socket_path(longest, HOME)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(kept))
        with socket.socket(socket.AF_UNIX) as listener, pytest.raises(OSError, match="too long"):
            listener.bind(str(longer / paths.SOCKET_NAME))

        assert kept == longest / paths.SOCKET_NAME
        assert paths.socket_path(longer, HOME).parent != longer


def test_the_sockets_folder_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nanobot" / "x.sock"

    paths.make_socket_folder(path)
    paths.make_socket_folder(path)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_can_not_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(
        BotError, match=r"file/nanobot: can't be made for the control socket: Not a directory"
    ):
        paths.make_socket_folder(tmp_path / "file" / "nanobot" / "x.sock")


class TestTheFolderForShortPaths:
    """It lies where everybody may write, so that somebody else may have made it first."""

    def test_made_for_its_owner_only_it_is_used(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir(mode=0o700)

        paths.check_private(shared, os.getuid())
        paths.check_private(tmp_path / "not there yet", os.getuid())

    def test_open_to_others_it_is_refused(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o750)

        with pytest.raises(BotError, match=r"is not a folder of yours alone; remove it"):
            paths.check_private(shared, os.getuid())

    def test_a_link_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir(mode=0o700)
        (tmp_path / "link").symlink_to("real")

        with pytest.raises(BotError, match=r"is not a folder of yours alone"):
            paths.check_private(tmp_path / "link", os.getuid())

    def test_somebody_elses_is_refused(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)

        with pytest.raises(BotError, match=r"is not a folder of yours alone"):
            paths.check_private(tmp_path, os.getuid() + 1)

    def test_it_is_checked_before_it_is_used(self, tmp_path: Path) -> None:
        short = paths.socket_path(Path("/", "long" * 40), HOME)

        paths.make_socket_folder(short)

        assert stat.S_IMODE(short.parent.stat().st_mode) == 0o700
        paths.check_socket_folder(short)
