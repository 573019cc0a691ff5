"""The locks hold all that pyproject.toml asks for, agree with each other, and name no index or folder."""

from __future__ import annotations

import re
import tomllib

from tests.architecture.tree import ROOT


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, flags=re.MULTILINE))


def asked_for(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    return {re.split(r"[^A-Za-z0-9_-]", line)[0].lower().replace("_", "-") for line in lines}


def test_every_direct_dependency_is_locked() -> None:
    assert asked_for("local") <= pins("run.lock").keys()
    assert asked_for("local", "dev") <= pins("dev.lock").keys()


def test_what_runs_is_what_is_tested() -> None:
    assert pins("run.lock").items() <= pins("dev.lock").items()


def test_locks_name_only_packages_and_hashes() -> None:
    line = re.compile(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\| +--hash=sha256:[0-9a-f]{64}( \\)?| *#.*")
    locks = sorted((ROOT / "requirements").glob("*.lock"))

    odd = [
        f"{lock.name}: {text}"
        for lock in locks
        for text in lock.read_text().splitlines()
        if not line.fullmatch(text)
    ]

    assert [lock.name for lock in locks] == ["dev.lock", "real.lock", "run.lock", "starter.lock"]
    assert odd == []
