"""A file is read at the call, travels in the message, and reaches Klaviyo as a form."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tasks.images import upload_image_from_file
from worker.accounts.credentials import Account
from worker.errors import InputError
from worker.http_client import make_client, send
from worker.settings import Settings

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
declaration = upload_image_from_file.declaration


def bound(**given: Any) -> dict[str, Any]:
    return declaration.bind(given)


def test_a_path_is_read_at_the_call_and_fits_into_a_message(tmp_path: Path):
    file = tmp_path / "dot.gif"
    file.write_bytes(GIF)

    params = bound(file=file, name="Dot")
    file.unlink()

    assert json.loads(json.dumps(params)) == {
        "file": {"filename": "dot.gif", "content": base64.b64encode(GIF).decode()},
        "name": "Dot",
    }


def test_a_message_may_be_checked_again():
    params = bound(file=GIF)

    assert declaration.bind(json.loads(json.dumps(params))) == params


def test_the_form_has_the_file_and_what_goes_with_it():
    request = declaration.request(bound(file=GIF, name="Dot", hidden=True, fields_image=["id"]))

    assert request.content_type.startswith("multipart/form-data; boundary=")
    assert request.query == {"fields[image]": "id"}
    assert request.body
    assert b'name="file"; filename="image"' in request.body
    assert GIF in request.body
    assert b'name="name"\r\n\r\nDot\r\n' in request.body
    assert b'name="hidden"\r\n\r\ntrue\r\n' in request.body


@pytest.mark.parametrize(
    "wrong", ["/etc/passwd", {"filename": "a", "content": "not base64!"}, {"content": "R0lG"}, 1, None]
)
def test_text_is_no_path_and_content_is_base64(wrong: Any):
    with pytest.raises(InputError, match="file"):
        bound(file=wrong)


def test_a_file_over_5_mb_is_refused_before_it_is_published():
    with pytest.raises(InputError, match="5,000,000"):
        bound(file=b"x" * 5_000_001)


def test_the_client_sends_the_form_as_a_form():
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"data": None})

    account = Account("default", SecretStr("pk_test"), None)
    client = make_client(Settings(_env_file=None), httpx.MockTransport(answer))

    send(client, account, "upload_image_from_file", declaration.request(bound(file=GIF)))

    assert seen[0].headers["content-type"].startswith("multipart/form-data; boundary=")
    assert GIF in seen[0].content
