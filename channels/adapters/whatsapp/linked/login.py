"""`nanobot login whatsapp`: a phone links this machine, by a QR code in the terminal or by a code typed there."""

from __future__ import annotations

import asyncio
import importlib.util
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from channels.adapters.whatsapp.linked import rules
from channels.adapters.whatsapp.linked.keeper import CHILD, mark_linked
from channels.adapters.whatsapp.linked.line import Line
from channels.adapters.whatsapp.linked.protocol import Code, Link, Pair, State, Stop, Told
from channels.base import Host
from channels.errors import ChannelError

LIBRARY = "neonize"
_AGAIN = "`nanobot login whatsapp` starts again"
_SCAN = (
    "On the phone whose number the bot shall have: WhatsApp, Settings (or the three dots), Linked devices, Link a "
    "device; then scan this. A new code comes every 20 seconds; the last one shown counts."
)
_TYPE = (
    "On the phone: WhatsApp, Settings (or the three dots), Linked devices, Link a device, Link with phone number "
    "instead; then type this code: {code}"
)
_RISK = (
    "WhatsApp forbids programs of others to use its network this way and may ban the number. Use one that you can "
    "do without, not your own."
)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `code`: until the first code; `person`: for the phone, from each code on; `settle`: until what a new
    link has to exchange is exchanged."""

    code: float = 30.0
    person: float = 70.0
    settle: float = 5.0
    stop: float = 3.0


async def login(
    host: Host,
    say: Callable[[str], None],
    number: str = "",
    *,
    command: Sequence[str] = CHILD,
    patience: Patience | None = None,
) -> None:
    """Link a phone; with its `number`, by a code to type there. Raises ChannelError, whose text names the fix."""
    patience = patience or Patience()
    digits = _digits(number)
    if command == CHILD and importlib.util.find_spec(LIBRARY) is None:
        raise ChannelError(f"the library for WhatsApp is not installed: {rules.INSTALL}")
    host.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    host.folder.chmod(0o700)
    say(_RISK)
    frames: asyncio.Queue[Told | str] = asyncio.Queue()
    line = await Line.opened(
        (*command, str(host.folder), "--link"), frames.put_nowait, lambda _, why: frames.put_nowait(why), 60.0
    )
    try:
        line.tell(Pair(digits))
        await _Talk(frames, say, patience).linked()
        await asyncio.sleep(patience.settle)
        mark_linked(host.folder)
    finally:
        await _ended(line, patience.stop)
    say("Linked. A nanobot that is running takes it up within a few seconds; `nanobot status` shows it.")


@dataclass(slots=True)
class _Talk:
    """What the child tells until a phone is linked."""

    frames: asyncio.Queue[Told | str]
    say: Callable[[str], None]
    patience: Patience
    paired: bool = False
    coded: bool = False

    async def linked(self) -> None:
        wait = self.patience.code
        while True:
            try:
                async with asyncio.timeout(wait):
                    frame = await self.frames.get()
            except TimeoutError:
                raise ChannelError(self._too_late()) from None
            match frame:
                case str(why):
                    raise ChannelError(f"{why}; {_AGAIN}")
                case Code():
                    self._show(frame)
                    wait = self.patience.person
                case Link(state=State.CONNECTED) if self.paired:
                    return
                case Link():
                    self._judge(frame)
                case _:
                    continue

    def _too_late(self) -> str:
        if not self.coded:
            return f"WhatsApp gave no code: is this machine connected to the internet? {_AGAIN}"
        return f"nobody took the code on a phone; {_AGAIN}"

    def _show(self, code: Code) -> None:
        self.coded = True
        if code.typed:
            self.say(_TYPE.format(code=code.text))
        else:
            self.say(f"{drawn(code.text)}\n{_SCAN}")

    def _judge(self, link: Link) -> None:
        match link.state:
            case State.PAIRED:
                self.paired = True
                self.say("The phone has linked this device; finishing.")
            case State.CONNECTED:
                raise ChannelError(
                    "a phone is linked already; to link another, remove this device under Linked devices on the "
                    "first phone, and try again"
                )
            case State.DISCONNECTED | State.STALLED:
                return  # once after pairing, by WhatsApp's own design
            case State.IN_USE:
                raise ChannelError(
                    "a nanobot is running with a phone linked already; `nanobot status` shows how it stands"
                )
            case _:
                raise ChannelError(rules.after(rules.Standing(), link, 0.0).detail)


def drawn(text: str) -> str:
    """A QR code for a terminal, two modules a character."""
    import segno  # noqa: PLC0415 -- of the extra `whatsapp`

    found = io.StringIO()
    segno.make_qr(text).terminal(out=found, compact=True)
    return found.getvalue()


def _digits(number: str) -> str:
    """A phone number as the library takes it: in its international form, digits only. Raises ChannelError."""
    digits = "".join(char for char in number if char.isdecimal() and char.isascii())
    rest = set(number) - set("0123456789+-() ./")
    if number and (rest or not 7 <= len(digits) <= 15 or digits.startswith("0")):
        raise ChannelError(
            f"{number!r} is no phone number with its country code; expected one such as +49 151 12345678"
        )
    return digits


async def _ended(line: Line, seconds: float) -> None:
    line.tell(Stop())
    try:
        async with asyncio.timeout(seconds):
            await line.ended.wait()
    except TimeoutError:
        line.kill("told to stop")
        await line.ended.wait()
