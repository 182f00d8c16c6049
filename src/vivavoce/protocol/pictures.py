"""Pictures that a client shows: data URIs of PNG or JPEG, checked by what they hold."""

import base64
import binascii
from typing import Final

from vivavoce.protocol.errors import ClientError, invalid_content

MAX_IMAGE_BYTES: Final = 5 * 1024 * 1024  # decoded; its echo stays below the 8 MiB that clients take in one message
_SIGNATURES: Final = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_SUPPORTED: Final = "expected a data URI 'data:image/png;base64,...' or 'data:image/jpeg;base64,...'"


def check_picture(image_url: str, param: str) -> None:
    """Refuse what is no picture; addresses are never fetched.

    Raises:
        ClientError: `invalid_value`, saying what was expected and what came.
    """
    head, comma, data = image_url.partition(",")
    if not comma or not head.startswith("data:"):
        raise invalid_content(param, f"{_SUPPORTED}, but got '{image_url[:40]}'; addresses are not fetched")
    media_type, _, encoding = head.removeprefix("data:").lower().partition(";")
    if media_type == "image/jpg":
        media_type = "image/jpeg"
    if media_type not in _SIGNATURES or encoding != "base64":
        raise invalid_content(param, f"{_SUPPORTED}, but got '{head[:80]}'")
    _check_data(data, media_type, param)


def _check_data(data: str, media_type: str, param: str) -> None:
    if len(data) > MAX_IMAGE_BYTES * 4 // 3 + 4:
        raise invalid_content(param, f"expected a picture of at most {MAX_IMAGE_BYTES} bytes")
    signature = _SIGNATURES[media_type]
    if not _first_bytes(data, param).startswith(signature):
        raise invalid_content(param, f"the data is not of type {media_type}")


def _first_bytes(data: str, param: str) -> bytes:
    """Return the decoded data; all of it is decoded, so that none of it can be anything but base64."""
    try:
        return base64.b64decode(data, validate=True)[:16]
    except (binascii.Error, ValueError) as error:
        failure: ClientError = invalid_content(param, "the data is not base64 (standard alphabet, padded)")
        raise failure from error
