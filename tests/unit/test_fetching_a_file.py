"""Fetching a large file from a server on loopback that cuts connections, changes its mind, and lies."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import local_models
from bot.download import PAUSES, DownloadError, Network, Source, download
from bot.local_models import GB, MODELS, choices, named
from tests.fakes.files import FileServer
from tests.fakes.gguf import head

CONTENT = head() + os.urandom(300_000)


class Patience:
    """Waits that take no time; `slept` holds them."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


class Seen:
    """What a progress bar was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int | None]] = []

    def __call__(self, done: int, total: int | None) -> None:
        self.steps.append((done, total))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m.gguf"


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir())


async def fetched(server: FileServer, place: Path, sha256: str = "", seen: Seen | None = None) -> Patience:
    patience = Patience()
    await download(Source(server.url, sha256), place, seen or Seen(), Network(5.0, patience))
    return patience


async def test_a_file_comes_whole_and_alone(place: Path) -> None:
    seen = Seen()
    async with FileServer(CONTENT) as server:
        checked = await download(Source(server.url), place, seen)

        assert checked == server.sha256
    assert place.read_bytes() == CONTENT
    assert left(place) == ["m.gguf"]
    assert seen.steps[0] == (0, len(CONTENT))
    assert seen.steps[-1] == (len(CONTENT), len(CONTENT))


async def test_after_a_cut_it_goes_on_where_it_stopped(place: Path) -> None:
    async with FileServer(CONTENT, cuts=[100_000, 70_000]) as server:
        patience = await fetched(server, place)

        assert server.asked == ["", "bytes=100000-", "bytes=170000-"]
    assert place.read_bytes() == CONTENT
    assert patience.slept == [PAUSES[0]] * 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, len(CONTENT)), max_size=5))
def test_whatever_is_cut_the_file_is_whole(tmp_path: Path, cuts: list[int]) -> None:
    place = tmp_path / "m.gguf"
    place.unlink(missing_ok=True)

    async def play() -> None:
        async with FileServer(CONTENT, cuts=list(cuts)) as server:
            await fetched(server, place)

    asyncio.run(play())
    assert place.read_bytes() == CONTENT
    assert left(place) == ["m.gguf"]


async def test_a_later_run_goes_on_with_what_an_earlier_one_left(place: Path) -> None:
    async with FileServer(CONTENT, hold=asyncio.Event()) as server:
        first = asyncio.create_task(fetched(server, place))
        async with asyncio.timeout(30.0):
            while not place.parent.exists() or not any(
                p.stat().st_size > 9 for p in place.parent.glob("*.part")
            ):
                await asyncio.sleep(0.005)
        first.cancel()
        await asyncio.wait([first])
        assert left(place) == ["m.gguf.part", "m.gguf.part.json"]
        kept = place.with_name("m.gguf.part").stat().st_size
        server.hold = None
        await fetched(server, place)

        assert server.asked[1] == f"bytes={kept}-"
    assert place.read_bytes() == CONTENT


async def test_a_part_of_another_version_is_not_continued(place: Path) -> None:
    async with FileServer(CONTENT, cuts=[100_000] + [0] * 20) as server:
        with pytest.raises(DownloadError, match="run it again to go on"):
            await fetched(server, place)
        server.content = head() + os.urandom(200_000)
        server.cuts = []
        await fetched(server, place)

        assert place.read_bytes() == server.content


async def test_a_server_without_ranges_is_read_from_the_start_again(place: Path) -> None:
    async with FileServer(CONTENT, cuts=[100_000], ranges=False) as server:
        await fetched(server, place)

    assert place.read_bytes() == CONTENT


async def test_a_server_that_tells_no_checksum_is_believed_its_size(place: Path) -> None:
    async with FileServer(CONTENT, cuts=[1000], linked=False) as server:
        await fetched(server, place)

        assert server.asked[1] == "bytes=1000-"
    assert place.read_bytes() == CONTENT


async def test_what_does_not_have_its_checksum_is_thrown_away(place: Path) -> None:
    async with FileServer(CONTENT) as server:
        with pytest.raises(DownloadError, match="was thrown away"):
            await fetched(server, place, sha256="0" * 64)
        assert left(place) == []

        server.told = {"x-linked-etag": f'"{"1" * 64}"'}
        with pytest.raises(DownloadError, match="1111 and was thrown away"):
            await fetched(server, place)
    assert left(place) == []


async def test_what_is_no_model_is_thrown_away(tmp_path: Path) -> None:
    async with FileServer(b"<html>Please sign in</html>") as server:
        with pytest.raises(DownloadError, match=r"/m\.gguf: is not a GGUF model .*; it was thrown away"):
            await local_models.fetch(MODELS[0], tmp_path, Seen(), url=server.url)

    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_is_too_small_is_said_before_anything_comes(place: Path) -> None:
    async with FileServer(CONTENT, claims=10**15) as server:
        with pytest.raises(DownloadError, match=r"1000000\.0 GB are to come and .* are free; make room"):
            await download(Source(server.url), place, Seen(), Network(5.0, Patience()))


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "has no such file"), (401, "signed in"), (403, "signed in"), (451, "status 451")],
)
async def test_a_refusal_is_final_and_says_what_to_do(place: Path, status: int, said: str) -> None:
    async with FileServer(CONTENT, statuses=[status]) as server:
        with pytest.raises(DownloadError, match=said):
            await fetched(server, place)


async def test_a_server_that_is_busy_is_asked_again(place: Path) -> None:
    async with FileServer(CONTENT, statuses=[503, 429, 500]) as server:
        patience = await fetched(server, place)

    assert patience.slept == list(PAUSES[:3])
    assert place.read_bytes() == CONTENT


async def test_nobody_there_is_said_after_a_while(place: Path) -> None:
    server = FileServer(CONTENT)
    async with server:
        pass
    patience = Patience()
    with pytest.raises(DownloadError, match="the connection keeps failing"):
        await download(Source(server.url), place, Seen(), Network(1.0, patience))

    assert patience.slept == list(PAUSES)


async def test_two_at_once_do_not_write_into_each_other(place: Path) -> None:
    hold = asyncio.Event()
    async with FileServer(CONTENT, hold=hold) as server:
        first = asyncio.create_task(fetched(server, place))
        async with asyncio.timeout(30.0):
            while not server.asked:
                await asyncio.sleep(0.005)
        with pytest.raises(DownloadError, match="by another process already"):
            await fetched(server, place)
        hold.set()
        await first

    assert place.read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["ftp://x/y", "m.gguf", "http://example.org/m.gguf"])
async def test_other_addresses_are_refused_before_anything_is_sent(place: Path, url: str) -> None:
    with pytest.raises(DownloadError, match=r"no http address|not encrypted"):
        await download(Source(url), place, Seen())

    assert not place.parent.exists()


async def test_a_model_that_is_there_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / MODELS[0].file).write_bytes(CONTENT)

    assert await local_models.fetch(MODELS[0], tmp_path, Seen(), url="http://127.0.0.1:1/") == (
        tmp_path / MODELS[0].file
    )


def test_models_are_offered_by_memory_the_recommended_first() -> None:
    assert choices(2 * GB) == []
    assert [model.title for model in choices(4 * GB)] == ["Nanbeige4.1-3B"]
    assert [model.name for model in choices(9 * GB)] == ["nanbeige", "qwen-4b", "gemma-e2b", "qwen-9b"]
    assert choices(None) == list(MODELS)


def test_the_recommended_model_is_where_it_is_published() -> None:
    assert MODELS[0].url == (
        "https://huggingface.co/mradermacher/Nanbeige4.1-3B-GGUF/resolve/main/Nanbeige4.1-3B.Q4_K_M.gguf"
    )
    assert named("Qwen3.5-4B") is named("qwen-4b") is named("Qwen3.5-4B-Q4_K_M.gguf") is not None
    assert named("gpt-5") is None
    assert len({model.name for model in MODELS}) == len({model.file for model in MODELS}) == len(MODELS)
