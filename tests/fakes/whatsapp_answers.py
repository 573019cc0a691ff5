"""What the stand-in for WhatsApp's server answers with, and how it reads what is uploaded."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from starlette.responses import JSONResponse, Response


def form_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart/form-data body."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    whole = BytesParser(policy=HTTP).parsebytes(head + body)
    found = {}
    for one in whole.iter_parts():
        content = one.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(one.get_param("name", header="content-disposition"))] = content
    return found


class Cut(Response):
    """Ends the connection in the middle of the head of an answer that promises more."""

    def __init__(self) -> None:
        super().__init__(b"", headers={"content-length": "100"})


def refusal(
    code: int, status: int = 400, *, message: str = "", details: str = "", **more: Any
) -> JSONResponse:
    """One of Meta's errors: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes"""
    error = {
        "message": message or f"(#{code}) It failed",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": "AbCdEf",
        **more,
    }
    return JSONResponse({"error": error}, status)
