"""Stands in for `bot/voice/worker.py`: a recording is a text file, each word of it a second long.

The word "die" ends the process, "hang" lets it wait for ever, "dies-once" ends it unless a file of that name lies
beside; a file without words is unreadable. What is asked goes into a file `orders` beside the recording.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def answer(order: dict[str, Any]) -> dict[str, Any]:
    if order["do"] == "fetch":
        folder = Path(order["to"])
        if order["name"] == "medium":
            return {"kind": "failed", "error": "ConnectError: no connection"}
        folder.mkdir(parents=True)
        (folder / "model.bin").touch()
        (folder / "config.json").touch()
        return {}
    path = Path(order["path"])
    with path.with_name("orders").open("a") as file:
        file.write(json.dumps({"pid": os.getpid(), **order}) + "\n")
    words = path.read_text().removeprefix("OggS").split()
    if not words:
        return {"kind": "unreadable", "error": "the file holds no sound"}
    if order["do"] == "length":
        return {"seconds": 0 if "endless" in words else len(words)}
    start, most = int(order["start"]), int(order["most"] or len(words))
    part = words[start : start + most]
    end, last = start + len(part), start + most >= len(words)
    if order["do"] == "encode":
        Path(order["to"]).write_text("OggS " + " ".join(part))
        return {"end": end, "last": last}
    once = path.with_name("dies-once")
    if "die" in part or ("dies-once" in part and not once.exists()):
        once.touch()
        os.kill(os.getpid(), 9)
    if "hang" in part:
        time.sleep(60)
    return {"text": " ".join(part), "language": order["language"], "end": end, "last": last}


for line in sys.stdin.buffer:
    sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
    sys.stdout.flush()
