"""The child process that serves a model: llama.cpp's own HTTP server on a loopback port.

Started by `providers.llama` as a file, not as a module: it needs nothing of this package but itself. It prints one
line of JSON, {"url", "api_key"}, when it can answer, and leaves when its standard input ends, however the parent went.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

NICENESS = 10
"""The assistant's own loop, and the rest of the house, come first."""
ERRORS_LIMIT = 1024 * 1024
"""Bytes of messages kept. Python ignores SIGXFSZ, so that what is beyond fails to be written and nothing else."""
SLEEP_AFTER = 300
"""Seconds without a request after which llama.cpp gives the model's memory back, unless told otherwise."""


def main() -> None:
    # Ctrl-C reaches the terminal's whole process group, and systemd's SIGTERM the whole unit, while answers are still
    # being finished: only the end of standard input counts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    options = _options()
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()
    resource.setrlimit(resource.RLIMIT_FSIZE, (ERRORS_LIMIT, ERRORS_LIMIT))
    os.nice(NICENESS)
    report = _own_stdout()
    _check_model(options.model)
    api_key = secrets.token_urlsafe(24)
    server = _serve(options, api_key)
    print(json.dumps({"url": server.listening_address, "api_key": api_key}), file=report, flush=True)
    threading.Event().wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--ctx", type=int, required=True, help="tokens of context")
    parser.add_argument("--name", default="", help="what the model is called, instead of its file")
    parser.add_argument("--template", type=Path, help="a chat template (Jinja) instead of the model's own")
    parser.add_argument(
        "--sleep", type=int, default=SLEEP_AFTER, help="seconds until its memory is given back"
    )
    parser.add_argument("--temperature", type=float, help="where a request says nothing")
    parser.add_argument("--top-p", type=float, help="where a request says nothing")
    parser.add_argument("--tiny", action="store_true", help="sampling for the built-in model")
    return parser.parse_args()


def _leave_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    # Not sys.exit: the main thread may be inside llama.cpp, whose threads are not worth waiting for.
    os._exit(0)


def _own_stdout() -> TextIO:
    """The pipe to the parent; what a library prints goes to standard error from here on."""
    report = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return report


def _check_model(path: Path) -> None:
    """llama.cpp tells a dozen lines about an unusable file; one is enough."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    if magic != b"GGUF":
        sys.exit(f"{path}: is not a GGUF model; fetch it again")


def _serve(options: argparse.Namespace, api_key: str) -> Any:
    try:
        import xllamacpp  # noqa: PLC0415 -- loads 100 MB of native code, which may fail
    except ImportError as error:
        # Debian brings the library of OpenMP along with compilers only.
        fix = "; run: sudo apt install libgomp1" if "libgomp" in str(error) else ""
        sys.exit(f"xllamacpp can't be loaded: {error}{fix}")
    try:
        return xllamacpp.Server(_parameters(xllamacpp.CommonParams, options, api_key))
    except RuntimeError as error:
        sys.exit(f"llama.cpp can't serve {options.model.name}: {error}")


def _parameters(make: Callable[[], Any], options: argparse.Namespace, api_key: str) -> Any:
    """llama.cpp's settings; a request that says nothing of sampling gets these."""
    params = make()
    params.model.path = str(options.model)
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # the kernel chooses one, so that none can be taken already
    params.api_keys = [api_key]
    params.n_ctx = options.ctx
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.fit_params = False  # it would load the model a second time to look for a graphics card's memory
    params.cache_ram_mib = 0  # by default prompts of the past may fill 8 GB
    params.sleep_idle_seconds = options.sleep
    params.verbosity = 1  # errors
    params.ui = params.endpoint_slots = False
    if options.name:
        params.model_alias = {options.name}
    if options.template:
        params.chat_template = options.template.read_text(encoding="utf-8")
    _sample(params.sampling, options)
    return params


def _sample(sampling: Any, options: argparse.Namespace) -> None:
    if options.temperature is not None:
        sampling.temp = options.temperature
    if options.top_p is not None:
        sampling.top_p = options.top_p
    if not options.tiny:
        return
    # Found by asking nineteen questions with three seeds each: warmer than this it misses easy facts, and without DRY
    # (a penalty on repeated phrases) it says one thing over and over. The usual repetition penalty forbids words of the
    # question too.
    sampling.temp = 0.1
    sampling.top_p = 0.9
    sampling.dry_multiplier = 0.8
    sampling.dry_allowed_length = 3
    sampling.dry_penalty_last_n = options.ctx


if __name__ == "__main__":
    main()
