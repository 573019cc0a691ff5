"""The one door to the library. Importing it starts threads and maps 19 MB, so it is done when the child asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Library:
    """`protos` and `e2e` are its protobufs: what it tells, and what people write. `failure` is what its calls raise,
    `unreadable` what parsing does."""

    version: str
    client: Any
    events: Any
    enums: Any
    protos: Any
    e2e: Any
    props: Any
    failure: type[Exception]
    unreadable: type[Exception]


def load() -> Library:
    """Raises ImportError, OSError, RuntimeError: not installed, or something that it needs is not."""
    # All late for the same reason, which stands above.
    import neonize  # noqa: PLC0415
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from neonize import client, events  # noqa: PLC0415
    from neonize.exc import NeonizeError  # noqa: PLC0415
    from neonize.proto import Neonize_pb2  # noqa: PLC0415
    from neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2 import DeviceProps  # noqa: PLC0415
    from neonize.proto.waE2E import WAWebProtobufsE2E_pb2  # noqa: PLC0415
    from neonize.utils import enum  # noqa: PLC0415

    return Library(
        str(neonize.__version__),
        client,
        events,
        enum,
        Neonize_pb2,
        WAWebProtobufsE2E_pb2,
        DeviceProps,
        NeonizeError,
        DecodeError,
    )
