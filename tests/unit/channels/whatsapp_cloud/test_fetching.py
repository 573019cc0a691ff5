"""Files that people sent: where they lie is asked first, then they are fetched with the token, and only whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from channels.errors import DeliveryError, NotSent, Refused
from channels.types import Attachment, Media
from tests.unit.channels.whatsapp_cloud.scene import Scene, scene

CONTENT = bytes(range(256)) * 2000


def received(s: Scene, content: bytes = CONTENT) -> Attachment:
    return Attachment(Media.FILE, "a.pdf", "application/pdf", 0, s.wa.store(content, "application/pdf"))


async def test_a_file_arrives_whole(tmp_path: Path) -> None:
    async with scene() as s:
        await s.channel.fetch(received(s), tmp_path / "a", len(CONTENT))
        assert (tmp_path / "a").read_bytes() == CONTENT
        assert s.wa.requests[-2:] == [("GET", "stored"), ("GET", "download")]


async def test_an_address_that_is_too_old_is_asked_for_anew(tmp_path: Path) -> None:
    async with scene() as s:
        s.wa.answers_with(Response(status_code=404), "download")
        await s.channel.fetch(received(s), tmp_path / "a", len(CONTENT))
        assert (tmp_path / "a").read_bytes() == CONTENT
        assert [path for _, path in s.wa.requests].count("stored") == 2


@pytest.mark.parametrize("told", [True, False])
async def test_a_file_that_is_too_large_is_refused_whatever_is_told_of_it(tmp_path: Path, told: bool) -> None:
    async with scene() as s:
        file = received(s)
        if not told:
            url = f"{s.wa.base_url}/attachments/{file.ref}"
            s.wa.answers_with(JSONResponse({"url": url, "file_size": "1", "id": file.ref}), "stored")
        with pytest.raises(Refused, match=r"0\.[15] MB"):
            await s.channel.fetch(file, tmp_path / "a", 100_000)
        assert ("GET", "download") not in s.wa.requests or not told


@pytest.mark.parametrize(
    ("digest", "whole"),
    [
        (hashlib.sha256(b"other").hexdigest(), False),
        ("pmWkWSBCL51Bfkhn79xPuKBKHz//H6B+mY6G9/eieuM=", False),
        ("x", True),
    ],
)
async def test_a_damaged_file_is_fetched_again_later(tmp_path: Path, digest: str, whole: bool) -> None:
    async with scene() as s:
        s.wa.digest = digest
        if whole:
            await s.channel.fetch(received(s), tmp_path / "a", len(CONTENT))
            return
        with pytest.raises(NotSent, match="damaged"):
            await s.channel.fetch(received(s), tmp_path / "a", len(CONTENT))


@pytest.mark.parametrize(
    ("path", "response", "expected"),
    [
        ("stored", JSONResponse({"error": {"code": 100, "error_subcode": 33}}, 400), Refused),
        ("stored", JSONResponse({"error": {"code": 131052, "message": "gone"}}, 400), Refused),
        ("stored", JSONResponse({"error": {"code": 4, "message": "limit"}}, 400), NotSent),
        ("stored", Response("<html>", 502), NotSent),
        ("stored", JSONResponse({"url": "https://evil.example.org/a"}), Refused),
        ("stored", JSONResponse({"url": "http://lookaside.fbsbx.com/a"}), Refused),
        ("stored", JSONResponse({"url": "https://fbsbx.com.example.org/a"}), Refused),
        ("stored", JSONResponse({}), Refused),
        ("download", Response(status_code=500), NotSent),
        ("download", Response(status_code=302, headers={"location": "https://evil.example.org/"}), NotSent),
    ],
)
async def test_each_failure_counts_as_what_it_is(
    tmp_path: Path, path: str, response: Response, expected: type[DeliveryError]
) -> None:
    async with scene() as s:
        s.wa.answers_with(response, path)
        with pytest.raises(DeliveryError) as failed:
            await s.channel.fetch(received(s), tmp_path / "a", len(CONTENT))
        assert type(failed.value) is expected


async def test_a_connection_that_breaks_may_work_later(tmp_path: Path) -> None:
    async with scene() as s:
        for path in ("stored", "download"):
            s.wa.drops(path)
            with pytest.raises(NotSent):
                await s.channel.fetch(received(s), tmp_path / "a", len(CONTENT))


async def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    async with scene() as s:
        file = received(s)
        s.wa.media.clear()
        with pytest.raises(Refused, match="no longer"):
            await s.channel.fetch(file, tmp_path / "a", len(CONTENT))
