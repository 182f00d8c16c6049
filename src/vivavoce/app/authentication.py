"""Who asks: the carriers of an API key, whether the key is one of ours, and what a client secret stands for."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from vivavoce.app.errors import HttpError
from vivavoce.app.secrets import ClientSecret, ClientSecrets, is_client_secret
from vivavoce.store.credentials import ID_CHARACTERS, KeyWatch, key_digest

KEY_PROTOCOL_PREFIX: Final = "openai-insecure-api-key."


class KeyRing:
    """The keys that are accepted, as digests: the configured ones, and those of the key file if there is one.

    Where no key was ever made or configured, every caller is admitted. A server that has had keys stays closed
    when the last one is gone.
    """

    def __init__(self, keys: Sequence[str], stored: KeyWatch | None = None, *, is_closed: bool = False) -> None:
        self._digests = tuple(key_digest(key) for key in keys)
        self._stored = stored
        self._is_closed = is_closed or bool(keys)

    @property
    def has_keys(self) -> bool:
        """Whether a key is demanded, because some were configured or made."""
        if not self._is_closed and self._stored is not None:
            self._is_closed = bool(self._stored.credentials().keys)
        return self._is_closed

    @property
    def has_live_keys(self) -> bool:
        """Whether any key would be admitted."""
        return bool(self._live_digests())

    def admits(self, keys: Sequence[str]) -> bool:
        """Tell whether a caller that presented these keys may come in; with several, each one must be ours.

        The time taken does not tell how much of a key was right.
        """
        if not self.has_keys:
            return True
        digests = self._live_digests()
        return bool(keys) and all(_is_among(key_digest(key), digests) for key in keys)

    def opening(self, secrets: Sequence[ClientSecret]) -> list[ClientSecret]:
        """Return those that were not revoked in the key file, and whose key would be admitted."""
        admitted = {_id_of(digest) for digest in self._live_digests()}
        revoked: set[str] = set()
        if self._stored is not None:
            revoked = {one.id for one in self._stored.credentials().revoked_secrets}
        is_open = not self.has_keys
        return [one for one in secrets if (is_open or one.credential_id in admitted) and one.id not in revoked]

    def name_of(self, credential_id: str) -> str | None:
        """Return the name of a key of the key file, by what stands for it in limits and logs."""
        keys = () if self._stored is None else self._stored.credentials().keys
        return next((key.name for key in keys if key.digest.startswith(credential_id)), None)

    def _live_digests(self) -> tuple[bytes, ...]:
        if self._stored is None:
            return self._digests
        live = self._stored.credentials().live_keys(self._stored.now_s)
        return (*self._digests, *(bytes.fromhex(key.digest) for key in live))


class Caller(msgspec.Struct, frozen=True):
    """Who was let in: `credential_id` stands for the key, `secret` is set if a client secret was presented."""

    credential_id: str | None
    secret: ClientSecret | None = None


class Gatekeeper:
    """Tells who presents a key or a secret."""

    def __init__(self, ring: KeyRing, secrets: ClientSecrets) -> None:
        self.ring = ring
        self.secrets = secrets

    def identify(self, keys: Sequence[str]) -> Caller | HttpError:
        """Return who presented these keys, or why they are refused.

        A client secret beside a key counts as the client secret. A secret that this server did not make is refused
        on an open server too: the configuration and the locks that it stands for are not known.
        """
        held = [key for key in keys if is_client_secret(key)]
        plain = [key for key in keys if not is_client_secret(key)]
        if (plain or not held) and not self.ring.admits(plain):
            return invalid_api_key(is_given=bool(plain))
        if not held:
            return Caller(credential_id(plain))
        return invalid_api_key(is_given=True) if len(held) > 1 else self._holder_of(held[0])

    def _holder_of(self, text: str) -> Caller | HttpError:
        secret = self.secrets.find(text)
        if secret is None:
            return expired_secret() if self.secrets.has_expired(text) else invalid_api_key(is_given=True)
        if not self.ring.opening([secret]):
            return invalid_api_key(is_given=True)
        return Caller(secret.credential_id, secret)


def invalid_api_key(*, is_given: bool) -> HttpError:
    """Return the 401 answer; it tells nothing about the key but whether there was one."""
    message = "Incorrect API key provided." if is_given else "You didn't provide an API key."
    return HttpError(status=401, message=message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def expired_secret() -> HttpError:
    """Return the 401 answer to a client secret whose time is over."""
    message = "The client secret has expired."
    headers = {"www-authenticate": "Bearer"}
    return HttpError(status=401, message=message, code="ephemeral_token_expired", headers=headers)


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
    return _id_of(key_digest(keys[0])) if keys else None


def _id_of(digest: bytes) -> str:
    return digest.hex()[:ID_CHARACTERS]


def _is_among(digest: bytes, known: Sequence[bytes]) -> bool:
    return sum([hmac.compare_digest(digest, one) for one in known]) > 0


def _distinct(keys: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(key for key in keys if key))
