"""The import contracts of pyproject.toml hold, and notice when they don't."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import PACKAGES, ROOT


def lint_imports(root: Path) -> tuple[int, str]:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        "--no-cache",
        "--no-logo",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold() -> None:
    code, report = lint_imports(ROOT)

    assert code == 0, report


def test_a_violation_of_each_contract_is_noticed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    planted = {
        "channels/planted.py": "import bot.errors, providers.types",
        "bot/tools/planted_a.py": "import bot.tools.planted_b",
        "bot/tools/planted_b.py": "import apscheduler, sqlmodel",
        "bot/agent/planted.py": "import telegram, providers.refs, bot.tools.planted_a, bot.context.planted",
        "bot/context/planted.py": "import bot.agent.planted",
    }
    for name, text in planted.items():
        (tmp_path / name).write_text(text)

    code, report = lint_imports(tmp_path)

    assert code == 1
    assert " 0 kept, " in report, report
