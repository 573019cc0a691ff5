"""Cutting by ffmpeg, where that is what there is: how it is called, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.voice.errors import Unreadable
from bot.voice.process import Worker
from bot.voice.sound import ByFfmpeg, ByWorker, Cut, sound

Say = Callable[[str], None]


@pytest.fixture
def probe_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """What ffprobe prints; ffmpeg writes its arguments into the file that it makes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def program(name: str, text: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    program("ffmpeg", 'for last; do :; done\necho "$@" > "${last#file:}"')
    return lambda json: program("ffprobe", f"cat <<'END'\n{json}\nEND")


AUDIO = '{"streams": [{"codec_type": "video"}, {"codec_type": "audio"}], "format": {"duration": "%s"}}'


async def test_a_piece_is_cut_out(probe_says: Say, tmp_path: Path) -> None:
    probe_says(AUDIO % "612.5")
    piece = tmp_path / "piece.ogg"

    cut = await ByFfmpeg().pack(tmp_path / "-v.ogg", piece, 300.0, 300.0)

    assert cut == Cut(600.0, last=False)
    asked = piece.read_text()
    assert f"-ss 300.000 -t 300.000 -i file:{tmp_path}/-v.ogg -vn -ac 1 -c:a libopus" in asked
    assert await ByFfmpeg().pack(tmp_path / "v.ogg", piece, 600.0, 300.0) == Cut(900.0, last=True)


@pytest.mark.parametrize("said", ["", "{}", '{"streams": [{"codec_type": "video"}], "format": {}}'])
async def test_what_holds_no_sound_is_unreadable(said: str, probe_says: Say, tmp_path: Path) -> None:
    probe_says(said)

    with pytest.raises(Unreadable):
        await ByFfmpeg().length(tmp_path / "letter.txt")


async def test_a_length_that_is_not_told_is_none(probe_says: Say, tmp_path: Path) -> None:
    probe_says(AUDIO % "N/A")

    assert await ByFfmpeg().length(tmp_path / "v.webm") == 0.0


@pytest.mark.parametrize(("packed", "last"), [("300.0", False), ("120.0", True)])
async def test_then_a_piece_that_is_full_is_not_the_last(
    packed: str, last: bool, probe_says: Say, tmp_path: Path
) -> None:
    probe_says(AUDIO % "N/A")
    probe = tmp_path / "bin" / "ffprobe"
    script = probe.read_text().replace("cat", f'case "$*" in *piece.ogg) {said(packed)} exit;; esac; cat', 1)
    probe.write_text(script)

    assert await ByFfmpeg().pack(tmp_path / "v.webm", tmp_path / "piece.ogg", 0, 300) == Cut(300, last)


def said(length: str) -> str:
    return f"echo '{AUDIO % length}';"


def test_the_extra_comes_before_ffmpeg_and_nothing_is_possible() -> None:
    worker = Worker(lambda: ())

    assert isinstance(sound(worker, extra=True, found=lambda _: None), ByWorker)
    assert isinstance(sound(worker, extra=False, found=lambda name: f"/bin/{name}"), ByFfmpeg)
    assert sound(worker, extra=False, found=lambda name: "/bin/ffmpeg" if name == "ffmpeg" else None) is None
