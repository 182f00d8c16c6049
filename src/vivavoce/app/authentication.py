"""Who asks: the carriers of an API key, and whether the key is one of ours."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

KEY_PROTOCOL_PREFIX: Final = "openai-insecure-api-key."
_ID_CHARACTERS: Final = 16


class KeyRing:
    """The configured keys, as digests. Without any, every caller is admitted."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    @property
    def has_keys(self) -> bool:
        return bool(self._digests)

    def admits(self, keys: Sequence[str]) -> bool:
        """Tell whether a caller that presented these keys may come in; with several, each one must be ours.

        The time taken does not tell how much of a key was right.
        """
        if not self._digests:
            return True
        return bool(keys) and all(self._has(key) for key in keys)

    def _has(self, key: str) -> bool:
        digest = _digest(key)
        return sum([hmac.compare_digest(digest, known) for known in self._digests]) > 0


def header_keys(headers: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the distinct keys in `Authorization: Bearer` and `api-key`; header names are lower case."""
    keys = [value.strip() for value in headers.get("api-key", ())]
    for value in headers.get("authorization", ()):
        scheme, _, key = value.strip().partition(" ")
        keys.append(key.strip() if scheme.lower() == "bearer" else "")
    return _distinct(keys)


def protocol_keys(protocols: Sequence[str]) -> list[str]:
    """Return the distinct keys among WebSocket subprotocols, where browsers put them."""
    prefix = KEY_PROTOCOL_PREFIX
    return _distinct([protocol.removeprefix(prefix) for protocol in protocols if protocol.startswith(prefix)])


def credential_id(keys: Sequence[str]) -> str | None:
    """Return what stands for a key in limits and logs: the start of its SHA-256, None without a key."""
    return _digest(keys[0]).hex()[:_ID_CHARACTERS] if keys else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _distinct(keys: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(key for key in keys if key))
