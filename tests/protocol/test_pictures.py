"""Pictures are data URIs of PNG or JPEG, checked by what they hold and how much of it."""

import base64

import pytest

from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.pictures import MAX_IMAGE_BYTES, check_picture

PNG = b"\x89PNG\r\n\x1a\n"


def uri(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/jpg", "IMAGE/JPEG"])
def test_jpeg_has_more_than_one_name(media_type: str) -> None:
    check_picture(uri(b"\xff\xd8\xff\xe0", media_type), "p")


def test_a_picture_of_the_greatest_size_is_taken_and_a_larger_one_is_not() -> None:
    check_picture(uri(PNG + bytes(MAX_IMAGE_BYTES - len(PNG))), "p")

    with pytest.raises(ClientError) as raised:
        check_picture(uri(PNG + bytes(MAX_IMAGE_BYTES + 3)), "p")

    assert raised.value.detail.message == f"Invalid 'p': expected a picture of at most {MAX_IMAGE_BYTES} bytes."


@pytest.mark.parametrize("image_url", ["", "data:", "data:image/png", "https://x.invalid/a.png", "file:///a.png"])
def test_what_is_no_data_uri_says_what_was_expected(image_url: str) -> None:
    with pytest.raises(ClientError) as raised:
        check_picture(image_url, "item.content[0].image_url")

    assert raised.value.detail.code == "invalid_value"
    assert "data URI" in raised.value.detail.message
