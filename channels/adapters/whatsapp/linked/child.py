"""The process in which the library lives: `python -m channels.adapters.whatsapp.linked.child FOLDER [--link]`.

Orders come on standard input, frames go to standard output, both as `protocol` has them; whatever the library itself
prints goes to standard error. It ends with its parent: when its input ends, and by the kernel's signal where there is
one. It knows nothing of the bot.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from channels.adapters.whatsapp.linked.device import Device
from channels.adapters.whatsapp.linked.library import load
from channels.adapters.whatsapp.linked.protocol import (
    VERSION,
    Beat,
    Hello,
    Lines,
    Link,
    Malformed,
    Order,
    State,
    Stop,
    Told,
    encode,
    order,
)

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
"""prctl(2)"""
_CHUNK = 65_536


class Pipe:
    """The way to the parent, for every thread. Without a parent the process ends."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()

    def tell(self, frame: Told) -> None:
        data = memoryview(encode(frame))
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._number, data) :]
            except OSError:
                leave()


def main() -> None:
    """Runs until it is told to stop or its parent is gone."""
    os.umask(0o077)
    orders, pipe = _take_pipes()
    _die_with_parent()
    folder, linking = Path(sys.argv[1]), "--link" in sys.argv[2:]
    held = _held(folder / "lock")
    if held is None:
        pipe.tell(Link(State.IN_USE))
        return
    os.environ["NEONIZE_BOT_TAG"] = "off"  # else the library marks its messages as a business's machine
    try:
        library = load()
    except (ImportError, OSError, RuntimeError) as error:
        pipe.tell(Link(State.NO_LIBRARY, " ".join(str(error).split())[:160]))
        return
    pipe.tell(Hello(VERSION, library.version))
    device = Device(library, folder, pipe.tell, linking=linking)
    _thread("beat", lambda: _beat(pipe, device.is_up))
    device.begin()
    _obey(orders, device.obey)
    _thread("stop", device.close)  # it may hang in the library
    threading.Event().wait(1.0)
    leave()


def leave() -> None:
    """At once: the library's threads are not waited for."""
    os._exit(0)


def _obey(orders: int, obey: Callable[[Order], None]) -> None:
    lines = Lines()
    while data := os.read(orders, _CHUNK):
        for line in lines.feed(data):
            try:
                found = order(line)
            except Malformed as error:
                log.error("%s", error)
                return
            if isinstance(found, Stop):
                return
            obey(found)


def _beat(pipe: Pipe, is_up: Callable[[], bool]) -> None:
    while True:
        pipe.tell(Beat(is_up()))
        threading.Event().wait(BEAT_SECONDS)


def _take_pipes() -> tuple[int, Pipe]:
    """Our two pipes; what the library reads and prints goes elsewhere."""
    orders, frames = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return orders, Pipe(frames)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _held(path: Path) -> IO[str] | None:
    """The lock on the folder, held as long as the process lives; None where another has it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _thread(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()


if __name__ == "__main__":
    main()
