"""What every test gets: an environment without the machine's own settings, and the option --no-skips."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from typing import TypeVar

import hypothesis
import pytest

hypothesis.settings.register_profile("anywhere", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "anywhere")

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)

# What could lead a test to the settings, servers, keys or service manager of the machine it runs on.
_PREFIXES = ("NANOBOT_", "XDG_", "OLLAMA_", "LISTEN_", "WATCHDOG_")
_SUFFIXES = ("_API_KEY", "_TOKEN", "_BASE_URL", "_PROXY", "_DIRECTORY", "_SOCKET")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No settings but the test's own; an empty home, and in it the folder for sockets."""
    for name in os.environ:
        if name.upper().startswith(_PREFIXES) or name.upper().endswith(_SUFFIXES):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    (home / "run").mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))


def pytest_sessionstart() -> None:
    """looptime asks for the current loop even in tests that have none; it must not make one that nobody closes."""
    asyncio.set_event_loop(None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: a test waits for sockets, processes and the disk for about half of its time."""
    return 2 * (os.cpu_count() or 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test has failed")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _refuse_skip((yield), item.config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _refuse_skip((yield), collector.config)


def _refuse_skip(report: _Report, config: pytest.Config) -> _Report:
    """With --no-skips a skip is a failure that gives the skip's reason; an expected failure stays one."""
    if config.getoption("--no-skips") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"not permitted with --no-skips: {report.longreprtext or report.longrepr}"
    return report
