"""Fetching one large file over HTTP: resumed after a cut, measured against its checksum, in place only when whole.

What has come is kept beside the place as `NAME.part`, with a note of what it is a part of; the next run goes on there.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from bot import part as parts
from bot.errors import BotError
from bot.part import Part
from providers.presets import is_local

MARGIN = 256 * 1024 * 1024
"""Bytes that stay free on the disk."""
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before another try after that many failures in a row; after one more it is given up."""
HOPS = 5
RESTARTS = 3

_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, once known, all that there will be."""


class DownloadError(BotError):
    """The file can't be had; says why and what to do."""


class _AgainFromTheStart(Exception):
    """What lies here is a part of something else."""


@dataclass(frozen=True, slots=True)
class Source:
    """`sha256` is what its owner says that the file must have; "" for whatever the server tells of it."""

    url: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """How patient we are: seconds for silence, and how waits pass."""

    silence: float = 60.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


USUAL = Network()


def _anything(_file: Path) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class _Told:
    """What the servers on the way say of the file. `version` is another one whenever the content is."""

    size: int | None
    sha256: str
    version: str


async def download(
    source: Source,
    place: Path,
    progress: Progress,
    network: Network = USUAL,
    problem: Callable[[Path], str] = _anything,
) -> str:
    """Fetch `source` to `place`. Returns the file's SHA-256 where it was checked against one, else "". `problem` looks
    at what came and says why it is not what was wanted.

    Raises `DownloadError`; what has come by then stays for the next time, except where it turned out to be wrong.
    """
    _check_address(source)
    try:
        with parts.opened(place) as part:
            told = await _complete(source, part, progress, network)
            wanted = source.sha256.lower() or told.sha256
            if wanted and (found := await asyncio.to_thread(part.sha256)) != wanted:
                part.discard()
                raise DownloadError(
                    f"{place.name}: what came has the SHA-256 {found} instead of {wanted} and was thrown away; "
                    "run it again, and if it happens twice, don't trust the source"
                )
            if said := problem(part.path()):
                part.discard()
                raise DownloadError(
                    f"{source.url}: {said.removeprefix(f'{part.path()}: ')}; it was thrown away"
                )
            part.finish()
            return wanted
    except parts.Busy:
        raise DownloadError(f"{place.name} is being fetched by another process already") from None
    except OSError as error:
        raise DownloadError(f"{place}: {error.strerror}") from error


async def _complete(source: Source, part: Part, progress: Progress, network: Network) -> _Told:
    """Go on until everything is there, over as many connections as that takes."""
    failures = restarts = 0
    # A proxy of the environment has no way into this machine.
    client = httpx.AsyncClient(
        timeout=network.silence, trust_env=not is_local(source.url), follow_redirects=False
    )
    async with client:
        while True:
            before = part.size
            try:
                return await _connection(client, source, part, progress)
            except _AgainFromTheStart:
                part.restart()
                restarts += 1
                if restarts > RESTARTS:
                    host = urlsplit(source.url).netloc
                    raise DownloadError(
                        f"{host} sends something else each time; try another source"
                    ) from None
                continue
            except httpx.InvalidURL as error:
                raise DownloadError(f"{source.url}: {error}") from None
            except httpx.HTTPStatusError as error:
                if error.response.status_code not in _PASSING:
                    raise DownloadError(_refused(source, error.response.status_code)) from None
                why = f"status {error.response.status_code}"
            except httpx.HTTPError as error:
                why = str(error) or type(error).__name__
            failures = 1 if part.size > before else failures + 1
            if failures > len(PAUSES):
                kept = "; run it again to go on where it stopped" if part.size else ""
                raise DownloadError(
                    f"{urlsplit(source.url).netloc}: the connection keeps failing: {why}{kept}"
                )
            await network.sleep(PAUSES[failures - 1])


async def _connection(client: httpx.AsyncClient, source: Source, part: Part, progress: Progress) -> _Told:
    async with _opened(client, source.url, part.size) as (response, told):
        same = part.belongs_to(told.version or source.sha256)
        if response.status_code == 416 and same and part.size == told.size:
            return told
        if (
            part.size
            and response.status_code in (200, 206, 416)
            and (not same or _start(response) != part.size)
        ):
            raise _AgainFromTheStart
        response.raise_for_status()
        part.note(told.version or source.sha256)
        _check_room(part, told.size)
        progress(part.size, told.size)
        async for chunk in response.aiter_raw():
            part.write(chunk)
            progress(part.size, told.size)
    if told.size is not None and part.size != told.size:
        if part.size > told.size:
            raise _AgainFromTheStart
        raise httpx.RemoteProtocolError("it ended too early")
    return told


def _check_address(source: Source) -> None:
    scheme, host = urlsplit(source.url).scheme, urlsplit(source.url).hostname
    if scheme not in ("http", "https") or not host:
        raise DownloadError(f"{source.url}: is no http address")
    if scheme == "http" and not source.sha256 and host not in ("127.0.0.1", "::1", "localhost"):
        raise DownloadError(
            f"{source.url}: is not encrypted, so that anybody on the way could send another file; "
            "use https, or give the file's checksum with --sha256"
        )


def _check_room(part: Part, total: int | None) -> None:
    if total is None:
        return
    free = shutil.disk_usage(part.folder).free
    needed = total - part.size
    if needed + MARGIN > free:
        raise DownloadError(
            f"{part.folder}: {gigabytes(needed)} are to come and {gigabytes(free)} are free; make room, "
            "or choose a smaller one"
        )


def _refused(source: Source, status: int) -> str:
    host = urlsplit(source.url).netloc
    if status in (401, 403):
        return f"{host} gives this file only to those who signed in there (status {status}); choose another"
    if status in (404, 410):
        return f"{host} has no such file (any more): {source.url}"
    return f"{host} refuses with status {status}"


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


@asynccontextmanager
async def _opened(
    client: httpx.AsyncClient, url: str, offset: int
) -> AsyncIterator[tuple[httpx.Response, _Told]]:
    """The answer at the end of all redirections, read from `offset` on. Headers of every hop count: Hugging Face tells
    the checksum before it sends elsewhere.
    """
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
    seen: dict[str, str] = {}
    for _ in range(HOPS):
        async with client.stream("GET", url, headers=headers) as response:
            for name in ("x-linked-etag", "x-linked-size", "etag", "last-modified"):
                if name in response.headers:
                    seen.setdefault(name, response.headers[name])
            if not response.is_redirect:
                yield response, _told(response, seen)
                return
            target = urljoin(url, response.headers.get("location", ""))
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise DownloadError(
                f"{urlsplit(url).netloc} sends on to an address that is not encrypted: {target}"
            )
        url = target
    raise DownloadError(f"{urlsplit(url).netloc}: it redirects in circles")


def _told(response: httpx.Response, seen: Mapping[str, str]) -> _Told:
    etag = seen.get("x-linked-etag") or seen.get("etag", "")
    plain = etag.removeprefix("W/").strip('"').lower()
    version = etag or seen.get("last-modified", "")
    return _Told(_size(response, seen), plain if _SHA256.fullmatch(plain) else "", version)


def _size(response: httpx.Response, seen: Mapping[str, str]) -> int | None:
    if response.status_code == 200:
        said = response.headers.get("content-length", "")
    else:
        said = response.headers.get("content-range", "").rpartition("/")[2]
    said = said if said.isdecimal() else seen.get("x-linked-size", "")
    return int(said) if said.isdecimal() else None


def _start(response: httpx.Response) -> int:
    """Where the body begins in the file."""
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    return int(found[1]) if response.status_code == 206 and found else 0
