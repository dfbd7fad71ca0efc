"""Images by address, by data URI and by upload."""

from base64 import b64encode
from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers

PNG = b"\x89PNG" * 10


def taken(sandbox: Sandbox, address: str, **attributes: Any) -> Any:
    data = {"type": "image", "attributes": {"import_from_url": address} | attributes}
    return sandbox.post("/api/images", {"data": data})


def uploaded(sandbox: Sandbox, name: str = "mug.png", type: str = "image/png", **form: str) -> Any:
    return sandbox.request("POST", "/api/image-upload", files={"file": (name, PNG, type)}, data=form)


def test_an_image_is_named_after_its_address_and_a_second_one_gets_a_number(free: Sandbox) -> None:
    first = taken(free, "https://shop.example/a/mug.jpg?v=2").json()["data"]["attributes"]
    assert (first["name"], first["format"], first["hidden"]) == ("mug", "jpeg", False)
    assert first["size"] > 0
    assert taken(free, "https://shop.example/mug.gif").json()["data"]["attributes"]["name"] == "mug_1"


def test_a_data_uri_tells_format_and_size(free: Sandbox) -> None:
    data = taken(free, f"data:image/png;base64,{b64encode(PNG).decode()}", name="Logo").json()["data"]["attributes"]
    assert (data["name"], data["format"], data["size"]) == ("Logo", "png", len(PNG))


@pytest.mark.parametrize(
    "address",
    [
        "ftp://shop.example/mug.png",
        "https://shop.example/mug.tiff",
        "https://[shop/mug.png",
        "data:image/png;base64,?",
        "data:image/png;base64,é",
    ],
)
def test_a_url_that_is_not_an_image_is_refused(free: Sandbox, address: str) -> None:
    assert pointers(taken(free, address)) == ["/data/attributes/import_from_url"]


def test_a_file_is_uploaded_as_a_form(free: Sandbox) -> None:
    answer = uploaded(free, name="mug.png", hidden="true")
    assert answer.status_code == 201
    shown = answer.json()["data"]["attributes"]
    assert (shown["name"], shown["size"], shown["hidden"]) == ("mug", len(PNG), True)
    assert uploaded(free, name="mug.pdf", type="application/pdf").status_code == 400
    assert free.request("POST", "/api/image-upload", {"data": {}}).status_code == 415


def test_images_are_found_sorted_renamed_and_hidden(free: Sandbox) -> None:
    taken(free, "https://shop.example/cup.png")
    id = taken(free, "https://shop.example/mug.png").json()["data"]["id"]
    body = {"data": {"type": "image", "id": id, "attributes": {"name": "Beaker", "hidden": True}}}
    assert free.patch(f"/api/images/{id}", body).json()["data"]["attributes"]["name"] == "Beaker"
    assert [one["id"] for one in free.get("/api/images", filter="equals(hidden,true)").json()["data"]] == [id]
    names = [one["attributes"]["name"] for one in free.get("/api/images", sort="-name").json()["data"]]
    assert names == ["cup", "Beaker"]
