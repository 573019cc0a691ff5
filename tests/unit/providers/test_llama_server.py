"""The child that serves a model, with a stand-in for llama.cpp's Python module."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from providers import llama

_SERVER = Path(llama.__file__).with_name("llama_server.py")
# As quiet or loud as the real one: prints, listens nowhere, and writes down with what it was made.
_XLLAMACPP = """
import json, os
from types import SimpleNamespace as Space

def CommonParams():
    return Space(model=Space(), sampling=Space(), cpuparams=Space(), cpuparams_batch=Space())

class Server:
    listening_address = "http://127.0.0.1:4711"

    def __init__(self, params):
        os.write(1, b"llama.cpp greets you\\n")
        if params.model.path.endswith("too-big.gguf"):
            raise RuntimeError("out of memory")
        with open(params.model.path + ".json", "w") as file:
            json.dump({**vars(params), "nice": os.nice(0)}, file, default=vars)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "xllamacpp.py").write_text(_XLLAMACPP)
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


@contextmanager
def server(model: Path) -> Iterator[subprocess.Popen[str]]:
    options = ["--model", str(model), "--threads", "3", "--ctx", "2048"]
    with subprocess.Popen(
        [sys.executable, "-P", str(_SERVER), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(model.parent)},
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def last_words(process: subprocess.Popen[str]) -> tuple[int, str]:
    """How it left by itself: its input stays open."""
    assert process.stderr is not None
    errors = process.stderr.read()
    return process.wait(10), errors


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_it_says_where_it_listens_and_nothing_else(model: Path) -> None:
    with server(model) as process:
        said = json.loads(first_line(process))
        rest, errors = process.communicate()

    assert said["url"] == "http://127.0.0.1:4711"
    assert (rest, errors) == ("", "llama.cpp greets you\n")


def test_each_start_has_a_key_of_its_own(model: Path) -> None:
    keys = set()
    for _ in range(2):
        with server(model) as process:
            keys.add(json.loads(first_line(process))["api_key"])
            made = json.loads(Path(f"{model}.json").read_text())
            assert made["api_keys"][0] in keys

    assert len(keys) == 2
    assert all(len(key) >= 32 for key in keys)


def test_it_listens_on_loopback_where_the_kernel_chooses_and_computes_politely(model: Path) -> None:
    with server(model) as process:
        first_line(process)
    made = json.loads(Path(f"{model}.json").read_text())

    assert (made["hostnames"], made["port"]) == (["127.0.0.1"], 0)
    assert (made["n_ctx"], made["cpuparams"]["n_threads"]) == (2048, 3)
    assert made["nice"] >= 10


def test_it_leaves_when_its_input_ends(model: Path) -> None:
    with server(model) as process:
        first_line(process)
        assert process.stdin is not None

        process.stdin.close()

        assert process.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_does_not_end_it(model: Path, number: signal.Signals) -> None:
    with server(model) as process:
        first_line(process)

        process.send_signal(number)

        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.gguf", None, "No such file or directory"),
        ("page.gguf", b"<html>", "is not a GGUF model; fetch it again"),
        ("too-big.gguf", b"GGUF", "llama.cpp can't serve too-big.gguf: out of memory"),
    ],
)
def test_what_it_cannot_serve_is_said_in_one_line(
    model: Path, name: str, content: bytes | None, said: str
) -> None:
    path = model.with_name(name)
    if content is not None:
        path.write_bytes(content)
    with server(path) as process:
        code, errors = last_words(process)

    assert code == 1
    assert errors.splitlines()[-1].endswith(said)


def test_a_broken_installation_is_said_in_one_line(model: Path) -> None:
    model.with_name("xllamacpp.py").write_text(
        "raise ImportError('libgomp.so.1: cannot open shared object file')"
    )
    with server(model) as process:
        _, errors = last_words(process)

    assert errors == (
        "xllamacpp can't be loaded: libgomp.so.1: cannot open shared object file; run: sudo apt install libgomp1\n"
    )
