"""Client secrets: short-lived keys that a server hands to its clients, with the session they are for.

They live in memory only: their hash and their configuration, never their text. When the server restarts they are
gone.
"""

import secrets
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from vivavoce.protocol.session import SessionPatch
from vivavoce.protocol.session_body import RelayedSession
from vivavoce.protocol.translation import TranslationOrder
from vivavoce.store.credentials import ID_CHARACTERS, SECRET_ID_PREFIX, key_digest

PREFIX: Final = "ek_"
SECRET_BYTES: Final = 32
MAX_LIVE: Final = 10_000
MAX_TOTAL_BYTES: Final = 64 * 1024 * 1024  # of all configurations
MAX_REMEMBERED: Final = 10_000  # expired ones, so that their holders are told so

MAX_SAFETY_IDENTIFIER: Final = 512

SecretKind = Literal["realtime", "transcription", "translation"]


class ClientSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What the server keeps of a secret. Times are unix seconds; `credential_id` is of the key that made it."""

    id: str
    created_at: int
    expires_at: int
    credential_id: str | None
    configuration: SessionPatch | None
    translation: TranslationOrder | None = None
    safety_identifier: str | None = None
    temperature: float | None = None  # as a client of the beta asked; a session has no place for it
    relayed: RelayedSession | None = None  # the session as it came, for an upstream to judge
    size_bytes: int = 0  # of the configuration as JSON

    @property
    def kind(self) -> SecretKind | None:
        """The kind of session it is for, None if it does not say."""
        if self.translation is not None:
            return "translation"
        return None if self.configuration is None else self.configuration.type

    @property
    def model(self) -> str | None:
        session = self.configuration or self.translation
        return None if session is None else session.model

    @property
    def locked(self) -> tuple[str, ...]:
        """Paths in the session that its holder may not change."""
        extension = None if self.configuration is None else self.configuration.vivavoce
        return () if extension is None else extension.locked or ()


class SecretOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a secret is made from; `lifetime_s` is 10 to 7200."""

    lifetime_s: int
    credential_id: str | None = None
    configuration: SessionPatch | None = None
    translation: TranslationOrder | None = None
    safety_identifier: str | None = None
    temperature: float | None = None
    relayed: RelayedSession | None = None


class TooManySecrets(Exception):
    """The server keeps as many secrets as it may; `retry_after_s` tells when the next one expires."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("The server holds its limit of client secrets that have not expired.")
        self.retry_after_s = retry_after_s


def is_client_secret(key: str) -> bool:
    return key.startswith(PREFIX)


def safety_identifier(header: str | None) -> str | None:
    """Return the end user as a client names them, cut to a bounded length; None if it names nobody."""
    return None if header is None else header.strip()[:MAX_SAFETY_IDENTIFIER] or None


class ClientSecrets:
    """The secrets of this process, found by the hash of their text, so that time tells nothing about it."""

    def __init__(self, unix_s: Callable[[], int], max_live: int = MAX_LIVE) -> None:
        self._unix_s = unix_s
        self._max_live = max_live
        self._live: dict[bytes, ClientSecret] = {}
        self._expired: dict[bytes, None] = {}  # in the order of their expiry
        self._total_bytes = 0

    def mint(self, order: SecretOrder) -> tuple[str, ClientSecret]:
        """Make a secret; returns its text, which is kept nowhere, and what is kept.

        Raises:
            TooManySecrets: no more are kept.
        """
        now_s = self._unix_s()
        size_bytes = len(msgspec.json.encode((order.configuration, order.translation, order.relayed)))
        self._purge(now_s)
        self._check_room(size_bytes, now_s)
        text = f"{PREFIX}{secrets.token_hex(SECRET_BYTES)}"
        digest = key_digest(text)
        secret = ClientSecret(
            id=f"{SECRET_ID_PREFIX}{digest.hex()[:ID_CHARACTERS]}",
            created_at=now_s,
            expires_at=now_s + order.lifetime_s,
            credential_id=order.credential_id,
            configuration=order.configuration,
            translation=order.translation,
            safety_identifier=order.safety_identifier,
            temperature=order.temperature,
            relayed=order.relayed,
            size_bytes=size_bytes,
        )
        self._live[digest] = secret
        self._total_bytes += size_bytes
        return text, secret

    def find(self, text: str) -> ClientSecret | None:
        """Return the secret if it is ours and has not expired."""
        secret = self._live.get(key_digest(text))
        return None if secret is None or secret.expires_at <= self._unix_s() else secret

    def has_expired(self, text: str) -> bool:
        """Tell whether this was a secret of ours; those of long ago are forgotten."""
        digest = key_digest(text)
        secret = self._live.get(digest)
        return digest in self._expired or (secret is not None and secret.expires_at <= self._unix_s())

    def list(self) -> list[ClientSecret]:
        """Return the secrets that have not expired, oldest first."""
        self._purge(self._unix_s())
        return list(self._live.values())

    def revoke(self, id: str) -> bool:
        """Forget a secret by its id; returns whether there was one. Sessions that it opened go on."""
        digest = next((digest for digest, secret in self._live.items() if secret.id == id), None)
        if digest is None:
            return False
        self._drop(digest)
        return True

    def _purge(self, now_s: int) -> None:
        for digest in [digest for digest, secret in self._live.items() if secret.expires_at <= now_s]:
            self._drop(digest)
            self._expired[digest] = None
        while len(self._expired) > MAX_REMEMBERED:
            del self._expired[next(iter(self._expired))]

    def _drop(self, digest: bytes) -> None:
        self._total_bytes -= self._live.pop(digest).size_bytes

    def _check_room(self, size_bytes: int, now_s: int) -> None:
        if len(self._live) >= self._max_live or self._total_bytes + size_bytes > MAX_TOTAL_BYTES:
            soonest = min((secret.expires_at for secret in self._live.values()), default=now_s)
            raise TooManySecrets(max(1, soonest - now_s))
