"""The process that decodes sound and hears: `python -P worker.py [--model FOLDER] [--nice N]`.

An order comes as a line of JSON on standard input, its answer goes to standard output as one, in turn. It ends with
its parent: when its input ends, and by the kernel's signal where there is one. It is run by its path and imports
nothing of the bot; the libraries, a hundred megabytes and more, are loaded when an order needs them.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import logging
import os
import queue
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

RATE = 16_000
"""Samples a second, as models of speech want them."""
OPUS_RATE = 48_000
_SEEK_EARLIER = 2.0
"""Seconds; a decoder needs a moment before what it gives is right."""
_QUIET = 0.3
"""Seconds that a pause between words has at least."""
_LOOK_BACK = 20.0
"""Seconds before the end of a piece in which a pause is looked for, to cut there."""
_PR_SET_PDEATHSIG = 1
"""prctl(2)"""


class Unreadable(Exception):
    """The file is no sound that can be decoded."""


class Piece(NamedTuple):
    """Samples from a file; `end` is where they end in it, in seconds, and `last` whether it ends there, too."""

    samples: Any
    end: float
    last: bool


class Worker:
    def __init__(self, model: str) -> None:
        self._folder = model
        self._model: Any = None
        self._orders: Mapping[str, Callable[..., dict[str, Any]]] = {
            "length": self.length,
            "encode": self.encode,
            "hear": self.hear,
            "fetch": self.fetch,
        }

    def obey(self, line: bytes) -> dict[str, Any]:
        """The answer to one order; what went wrong is an answer too: `error`, a line, and its `kind`."""
        try:
            order = json.loads(line)
            return self._orders[order.pop("do")](**order)
        except ImportError as error:
            return {"kind": "missing", "error": _line(error)}
        except MemoryError:
            return {"kind": "memory", "error": "this machine has too little memory for it"}
        except Unreadable as error:
            return {"kind": "unreadable", "error": str(error)}
        except Exception as error:
            # Catches everything: three libraries raise what they like, and the parent has to hear of it.
            log.exception("an order failed")
            return {"kind": "failed", "error": _line(error)}

    def length(self, path: str) -> dict[str, Any]:
        """Of a file, in seconds, as far as it tells; 0 where it doesn't."""
        with _opened(path) as container:
            microseconds = container.duration or 0
        return {"seconds": max(0.0, microseconds / 1e6)}

    def encode(self, path: str, to: str, start: float, most: float | None) -> dict[str, Any]:
        """Write a piece of a file, or all from `start` on, as Opus in Ogg at `to`."""
        import av  # noqa: PLC0415 -- 40 MB of native code

        piece = _piece(path, start, most, OPUS_RATE)
        with av.open(to, "w", format="ogg") as container:
            stream = container.add_stream("libopus", rate=OPUS_RATE, layout="mono")
            stream.bit_rate = 24_000
            frame = av.AudioFrame.from_ndarray(piece.samples.reshape(1, -1), format="s16", layout="mono")
            frame.rate = OPUS_RATE
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return {"end": piece.end, "last": piece.last}

    def hear(self, path: str, start: float, most: float, language: str | None) -> dict[str, Any]:
        """What is said in a piece of a file."""
        piece = _piece(path, start, most, RATE)
        model = self._loaded()
        samples = piece.samples.astype("float32") / 32768.0
        segments, info = model.transcribe(
            samples,
            language=language if model.model.is_multilingual else None,
            beam_size=1,
            vad_filter=True,  # without, silence is heard as "Thank you."
            condition_on_previous_text=False,
        )
        text = " ".join(segment.text.strip() for segment in segments)
        return {"text": text, "language": info.language, "end": piece.end, "last": piece.last}

    def fetch(self, name: str, to: str) -> dict[str, Any]:
        """Fetch a model into the folder `to`, which is there only when all of it is."""
        from faster_whisper import download_model  # noqa: PLC0415 -- a hundred megabytes of native code

        part = Path(f"{to}.part")
        download_model(name, output_dir=str(part))
        shutil.rmtree(part / ".cache", ignore_errors=True)
        part.rename(to)
        return {}

    def _loaded(self) -> Any:
        if self._model is None:
            from faster_whisper import WhisperModel  # noqa: PLC0415 -- as above

            threads = min(4, os.cpu_count() or 1)
            self._model = WhisperModel(
                self._folder, device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        return self._model


def _opened(path: str) -> Any:
    import av  # noqa: PLC0415 -- 40 MB of native code

    try:
        container = av.open(path, metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Unreadable("the file holds no sound that can be read") from error
    if not container.streams.audio:
        container.close()
        raise Unreadable("the file holds no sound")
    return container


def _piece(path: str, start: float, most: float | None, rate: int) -> Piece:
    """From `start` on, at most so many seconds; where more follows, cut in a pause."""
    import numpy as np  # noqa: PLC0415 -- not needed for other orders

    parts, have = [], 0
    wanted = None if most is None else int(most * rate)
    last = True
    for at, samples in _decoded(path, start, rate):
        early = int((start - at) * rate) if have == 0 else 0
        if early >= len(samples):
            continue
        parts.append(samples[max(0, early) :])
        have += len(parts[-1])
        if wanted is not None and have > wanted:
            last = False
            break
    if not parts:
        if start > 0:
            return Piece(np.zeros(rate // 10, dtype=np.int16), start, last=True)
        raise Unreadable("the file holds no sound that can be read")
    sound = np.concatenate(parts)
    if not last:
        sound = sound[: pause(sound[:wanted], rate)]
    return Piece(sound, start + len(sound) / rate, last)


def _decoded(path: str, start: float, rate: int) -> Iterator[tuple[float, Any]]:
    """Samples with the time at which they begin in the file; broken frames are left out."""
    import av  # noqa: PLC0415 -- 40 MB of native code

    with _opened(path) as container:
        stream = container.streams.audio[0]
        if start > _SEEK_EARLIER:
            container.seek(int((start - _SEEK_EARLIER) * 1_000_000))
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        at = None
        for frame in itertools.chain(_frames(container, stream), [None]):
            if at is None:
                at = (frame.time or 0.0) if frame is not None else 0.0
            for one in resampler.resample(frame):
                samples = one.to_ndarray().reshape(-1)
                yield at, samples
                at += len(samples) / rate


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    import av  # noqa: PLC0415 -- 40 MB of native code

    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            yield from frames
    except (av.FFmpegError, OSError):
        return  # what came before the break counts


def pause(sound: Any, rate: int) -> int:
    """Where to cut: in the middle of the quietest moment near the end, in samples."""
    import numpy as np  # noqa: PLC0415 -- not needed for other orders

    step = int(_QUIET * rate)
    first = max(len(sound) * 3 // 4, len(sound) - int(_LOOK_BACK * rate))
    tail = sound[first : first + (len(sound) - first) // step * step]
    if len(tail) < 2 * step:
        return len(sound)
    loudness = np.square(tail.astype(np.float64)).reshape(-1, step).mean(axis=1)
    return first + int(np.argmin(loudness)) * step + step // 2


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _read(lines: queue.Queue[bytes]) -> None:
    """Runs beside the work, so that the end of the input ends that, too."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def main() -> None:
    """Runs until its parent closes its input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="")
    parser.add_argument("--nice", type=int, default=0)
    options = parser.parse_args()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if options.nice:
        os.nice(options.nice)
    os.umask(0o077)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print goes elsewhere
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    worker = Worker(options.model)
    while True:
        answer = worker.obey(lines.get())
        answers.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
