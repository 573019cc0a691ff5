"""A stand-in for every server that speaks OpenAI's chat completions or Anthropic's messages, well or badly.

As a process of its own: `python -m tests.fakes.llm --help`.
"""

from tests.fakes.llm.peers import Setup
from tests.fakes.llm.replies import (
    ALL_DELTAS,
    CallStyle,
    Fault,
    Framing,
    Pace,
    Raw,
    Reply,
    Script,
    ToolCall,
    echo,
)
from tests.fakes.llm.server import Kill, LLMFake, Recorded

__all__ = [
    "ALL_DELTAS",
    "CallStyle",
    "Fault",
    "Framing",
    "Kill",
    "LLMFake",
    "Pace",
    "Raw",
    "Recorded",
    "Reply",
    "Script",
    "Setup",
    "ToolCall",
    "echo",
]
