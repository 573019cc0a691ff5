"""What a scripted server says: an answer, the manner in which it is sent, and what goes wrong with it.

Every value is frozen and made of JSON types: the same script works in this process and over the control API.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Json = dict[str, Any] | list[Any] | str | int | float | bool | None

STRICT = ConfigDict(extra="forbid")

ALL_DELTAS = sys.maxsize
"""A place in a stream: after the last delta, before the finish reason."""

HTML = "<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"


@dataclass(frozen=True, config=STRICT)
class ToolCall:
    """A call that the model makes. `arguments` given as text is sent as it is, valid or not."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    id: str | None = None
    """None: one is made up."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Its `extra_content`, in which Gemini's API sends signatures."""


@dataclass(frozen=True, config=STRICT)
class CallStyle:
    """How a stream spells tool calls; the servers of this world differ."""

    fragments: int = 3
    """Deltas for the arguments after the one that names the call; 0 sends name and arguments in one."""
    index: bool = True
    repeat_head: bool = False
    """Id and name again in every fragment."""
    empty_name: bool = False
    """An empty name in every fragment after the first."""
    as_object: bool = False
    """Arguments as a JSON object instead of text; whole, of course."""
    same_id: bool = False
    """Every call of the answer carries the id of the first."""
    interleaved: bool = False
    """Fragments of several calls by turns instead of call after call."""


@dataclass(frozen=True, config=STRICT)
class Pace:
    """When the parts of an answer are sent; times in seconds."""

    wait: float = 0.0
    """Before the status line."""
    delay: float = 0.0
    """Before each delta."""
    chunks: int = 4
    """Deltas that the text is cut into."""
    heartbeats: int = 0
    """Comment lines before the first delta (blank lines where the answer is plain JSON)."""
    every: float = 0.0
    """Before each of these."""
    heartbeat: str = ": OPENROUTER PROCESSING"
    hold: str = ""
    """Wait there until the test releases this name."""
    hold_at: int | None = None
    """Deltas sent before holding; None: before the status line."""


@dataclass(frozen=True, config=STRICT)
class Framing:
    """How the bytes are laid out."""

    newline: Literal["\n", "\r\n"] = "\n"
    space: bool = True
    """After `data:`."""
    lines: bool = False
    """An event's JSON over several `data:` lines."""
    cut: int = 0
    """The body in pieces of so many bytes, each sent on its own, through lines and characters; 0: no."""
    gzip: bool = False
    done: bool = True
    """The closing `data: [DONE]`."""
    malformed_at: int | None = None
    """One line of broken JSON after so many deltas."""
    answer: Literal["as asked", "json", "sse"] = "as asked"


@dataclass(frozen=True, config=STRICT)
class Fault:
    """What breaks an answer off, and where.

    `end`: the body ends as HTTP wants it, but early · `close`: the connection is closed inside the body ·
    `reset`: the same by RST · `hang`: silence until the client leaves · `error`: in-band error, then `end`.
    `after` counts deltas; 0 is right after the head, None before the status line.
    """

    kind: Literal["end", "close", "reset", "hang", "error"]
    after: int | None = None
    body: Json = None
    """Of `error`: the event's JSON."""
    event: str = ""
    """Of `error`: the event's name, where a server gives one."""


@dataclass(frozen=True, config=STRICT)
class Raw:
    """An answer that is no completion: any status and body. A body that is no text is sent as JSON."""

    status: int
    body: Json = ""
    content_type: str = "application/json"


@dataclass(frozen=True, config=STRICT)
class Reply:
    """One scripted answer. `Reply("Hello")` is enough; the rest is for servers that are less kind."""

    text: str | tuple[str, ...] | None = ""
    """A tuple is sent delta by delta as given. None: `content` is null."""
    calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    reasoning_as: Literal["reasoning_content", "reasoning", "reasoning_details"] = "reasoning_content"
    signature: str = "c2ln"
    """Of the thinking, where the protocol has one: Anthropic's, and OpenRouter's `reasoning_details`."""
    finish: str | None = None
    """None: `tool_calls` where there are calls, else `stop`."""
    usage: bool | dict[str, Any] | None = None
    """None: counted, and sent when asked for; True, False: always, never; a dict: these numbers, always."""
    choices: bool = True
    """False: an empty list of choices, in a stream too."""
    extra: dict[str, Any] = field(default_factory=dict)
    """More top-level keys of each chunk, e.g. `provider` or `x_groq`."""
    headers: dict[str, str] = field(default_factory=dict)
    calls_as: CallStyle = CallStyle()
    pace: Pace = Pace()
    framing: Framing = Framing()
    fault: Fault | None = None
    raw: Raw | None = None
    close_after: bool | None = None
    """Close the kept-alive connection after the answer, unannounced; None: as this kind of server does."""

    @classmethod
    def tool(cls, name: str, arguments: Mapping[str, Any] | str = "", **more: Any) -> Reply:
        """One tool call without text."""
        given = arguments if isinstance(arguments, str) else dict(arguments)
        return cls(more.pop("text", None), (ToolCall(name, given),), **more)

    @classmethod
    def thinking(cls, thought: str, text: str, *, opening: bool = True, **more: Any) -> Reply:
        """A thought inside the content, its tags split over deltas; some templates swallow the first tag."""
        start = ("<thi", "nk>") if opening else ()
        middle = max(1, len(thought) // 2)
        parts = (*start, thought[:middle], thought[middle:], "</th", "ink>", text)
        return cls(tuple(part for part in parts if part), **more)

    @classmethod
    def error(cls, status: int, body: Json, **headers: str) -> Reply:
        """An HTTP error; `retry_after="2"` becomes the header `retry-after: 2`."""
        return cls(raw=Raw(status, body), headers={k.replace("_", "-"): v for k, v in headers.items()})

    @classmethod
    def html(cls, status: int = 200, title: str = "Sign in to the network") -> Reply:
        """A page where JSON was wanted: a captive portal, a proxy's error page."""
        return cls(raw=Raw(status, HTML.format(title=title), "text/html; charset=utf-8"))

    @classmethod
    def redirect(cls, location: str = "/login", status: int = 302) -> Reply:
        return cls(raw=Raw(status, "", "text/html"), headers={"location": location})

    @classmethod
    def broken(
        cls, kind: Literal["end", "close", "reset", "hang"], after: int | None = None, text: str = ""
    ) -> Reply:
        """An answer that breaks off after so many deltas of `text`; None: before the status line."""
        return cls(text, fault=Fault(kind, after))

    @classmethod
    def cut_arguments(
        cls, name: str, arguments: dict[str, Any], kind: Literal["end", "close", "reset"]
    ) -> Reply:
        """A stream that dies inside the arguments of a tool call."""
        return cls(None, (ToolCall(name, arguments),), fault=Fault(kind, 2))

    @classmethod
    def length(cls, name: str, cut: str) -> Reply:
        """The token limit in the middle of a call: finish reason `length` with cut-off arguments."""
        return cls(None, (ToolCall(name, cut),), finish="length")


Script = Reply | Callable[[dict[str, Any]], Reply]
"""A reply, or what makes one from the request's JSON."""


def last_text(body: Mapping[str, Any]) -> tuple[str, str]:
    """Role and text of a request's last message that a user or a tool wrote."""
    for message in reversed(body.get("messages") or []):
        if message.get("role") in ("user", "tool"):
            content = message.get("content")
            if isinstance(content, list):
                content = " ".join(part.get("text", "") for part in content if isinstance(part, dict))
            return message["role"], content or ""
    return "user", ""


def echo(body: dict[str, Any]) -> Reply:
    """What is said when nothing is scripted."""
    role, text = last_text(body)
    return Reply(f"The tool said: {text}" if role == "tool" else f"You said: {text}")
