"""Importing any module of the three packages does no work: nothing written, connected, started or printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import PACKAGES, ROOT, modules

# Runs in a fresh interpreter: audit hooks can't be removed, and what is imported can't be imported anew.
_WATCH = """
import importlib, os, sys, threading

WORK = {
    "os.fork", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename", "os.system",
    "socket.bind", "socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen",
}
importing = ""

def watch(event, args):
    writes = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and args[0] != os.devnull
    if importing and (writes or event in WORK):
        os.write(1, f"{importing}: {event} {args[:2]}\\n".encode())

def watched_start(thread, start=threading.Thread.start):
    os.write(1, f"{importing}: {thread}\\n".encode())
    start(thread)

sys.addaudithook(watch)
threading.Thread.start = watched_start
for importing in sys.argv[1:]:
    importlib.import_module(importing)
importing = ""
"""


def work_done_by_importing(names: list[str], root: Path) -> str:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", _WATCH, *names]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_importing_any_module_does_no_work() -> None:
    assert work_done_by_importing(modules(ROOT, *PACKAGES), ROOT) == ""


def test_work_at_import_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "writes.py").write_text("open('file', 'w').close()")
    (tmp_path / "starts.py").write_text("import threading; threading.Thread(target=print).start()")
    (tmp_path / "connects.py").write_text("import socket; socket.socket().bind(('127.0.0.1', 0))")
    (tmp_path / "prints.py").write_text("print('hello')")

    seen = work_done_by_importing(["writes", "starts", "connects", "prints"], tmp_path)

    assert "writes: open" in seen
    assert "starts: <Thread" in seen
    assert "connects: socket.bind" in seen
    assert "hello" in seen
