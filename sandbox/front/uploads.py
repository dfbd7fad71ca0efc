"""Multipart bodies, which only image uploads have."""

from email import policy
from email.parser import BytesParser
from typing import Any

from sandbox.errors import invalid


def parse_form(content_type: str, body: bytes) -> dict[str, Any]:
    """The parts of a form by name: text as a string, a file as its name, type and size."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise invalid("A multipart form is required.", "/data")
    parts: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes), "iter_parts yields leaves here, which decode to bytes"
        filename = part.get_filename()
        if filename is None:
            parts[str(name)] = content.decode()
        else:
            parts[str(name)] = {"name": filename, "type": part.get_content_type(), "size": len(content)}
    return parts
