"""Files both ways: how each can be sent, and how what people sent is fetched.

Kinds and sizes: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media#supported-media-types
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from channels.adapters.whatsapp.cloud.failures import GraphError, delivery_error
from channels.adapters.whatsapp.cloud.graph import Graph
from channels.errors import NotSent, Refused, Unknown
from channels.types import File, Media

FILE_LIMIT = 100_000_000
"""Bytes of a document."""
_IMAGE_LIMIT = 5_000_000
_SOUND_LIMIT = 16_000_000
_SHOWN: dict[Media, tuple[tuple[str, ...], int]] = {
    Media.IMAGE: (("image/jpeg", "image/png"), _IMAGE_LIMIT),
    Media.VIDEO: (("video/mp4", "video/3gpp"), _SOUND_LIMIT),
    Media.AUDIO: (("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), _SOUND_LIMIT),
    Media.VOICE: (("audio/ogg",), _SOUND_LIMIT),
}
_PLAIN = "text/plain"
_TEXTS = (
    "application/json",
    "application/xml",
    "application/x-yaml",
    "application/toml",
    "application/javascript",
)
"""Texts that the server doesn't know as such; people's programs go by the name."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file as it can be sent: as what, and under which type."""

    kind: Media
    mime: str


async def parcel(file: File) -> Parcel:
    """How to send a file. Raises Refused for one that can't be."""
    try:
        size = (await asyncio.to_thread(file.path.stat)).st_size
    except OSError as error:
        raise Refused(f"the file {file.name} can't be read: {error.strerror}") from error
    if size > FILE_LIMIT:
        raise Refused(
            f"the file {file.name} has {size / 1e6:.0f} MB, and WhatsApp takes at most {FILE_LIMIT // 10**6} MB"
        )
    if not size:
        raise Refused(f"the file {file.name} is empty, which WhatsApp doesn't take")
    return fitting(file, size)


def fitting(file: File, size: int) -> Parcel:
    """As what a file of this size is sent: as a document where WhatsApp would not show or play it."""
    mime = file.mime.partition(";")[0].strip().lower()
    types, most = _SHOWN.get(file.kind, ((), 0))
    if mime in types and size <= most:
        # The codec is asked for in the type: any other in this container is refused.
        return Parcel(file.kind, "audio/ogg; codecs=opus" if mime == "audio/ogg" else mime)
    return Parcel(Media.FILE, _PLAIN if mime.startswith("text/") or mime in _TEXTS else mime or _PLAIN)


async def fetch(graph: Graph, media_id: str, to: Path, most: int) -> None:
    """Bring a received file, in two steps: where it lies, which is true for five minutes, and what lies there.

    Raises NotSent where it may work later, Refused where never, OSError.
    """
    for _ in range(2):
        try:
            file = await graph.stored(media_id)
        except GraphError as error:
            if error.missing or error.code == 100:
                raise Refused("the file is no longer on WhatsApp's servers") from error
            raise delivery_error(error) from error
        except Unknown as error:  # asking does nothing
            raise NotSent(error.detail) from error
        if file.size > most:
            raise Refused(
                f"the file has {file.size / 1e6:.1f} MB, more than the {most / 1e6:.1f} MB that are fetched"
            )
        if await graph.download(file, to, most):
            return
    raise Refused("the file is no longer on WhatsApp's servers")
