"""API keys that this installation made: one file of hashes, written by `vivavoce keys`, read by running servers.

Keys have 256 random bits, so their plain SHA-256 cannot be turned back. Every change replaces the file as a whole,
under a lock that all processes share; readers see the old file or the new one and need no lock. Revoked keys stay
in the file: a server whose keys are all revoked admits nobody, instead of everybody.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

KEY_FILE_NAME: Final = "keys.json"
KEY_PREFIX: Final = "vv_"
KEY_BYTES: Final = 32
ID_CHARACTERS: Final = 16  # of the hexadecimal SHA-256: enough to tell keys apart in lists and logs
KEY_ID_PREFIX: Final = "key_"
SECRET_ID_PREFIX: Final = "secret_"
MAX_SECRET_LIFE_S: Final = 7_200  # the reference's limit; a revocation need not be remembered for longer
MAX_FILE_BYTES: Final = 16 * 1024 * 1024  # some 50,000 keys; a server reads the file between two requests
MAX_UNIX_S: Final = 253_402_300_799  # the end of the year 9999, where dates end

UnixSeconds = Annotated[int, Meta(ge=0, le=MAX_UNIX_S)]

_log = logging.getLogger(__name__)


class CredentialsUnreadable(Exception):
    """The key file is there and cannot be used; the message names it and says why."""


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key as the file has it. Times are unix seconds; `digest` is its SHA-256 in hexadecimal."""

    id: str
    name: str
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    created_at: UnixSeconds
    expires_at: UnixSeconds | None = None
    revoked_at: UnixSeconds | None = None

    def state(self, now_s: float) -> Literal["live", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now_s else "live"


class RevokedSecret(msgspec.Struct, frozen=True):
    """A client secret, by its id, that servers shall refuse."""

    id: str
    revoked_at: int


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    version: Literal[1] = 1
    keys: tuple[StoredKey, ...] = ()
    revoked_secrets: tuple[RevokedSecret, ...] = ()

    def live_keys(self, now_s: float) -> tuple[StoredKey, ...]:
        return tuple(key for key in self.keys if key.state(now_s) == "live")


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made: `text` is shown once and kept nowhere."""

    text: str
    stored: StoredKey

    def __repr__(self) -> str:
        return f"NewKey({self.stored.id!r})"


def key_digest(key: str) -> bytes:
    """Return the SHA-256 of a key or a secret."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class KeyFile:
    """The file in the data folder; made with its folder by the first key, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Credentials:
        """Return what the file holds, nothing if there is none.

        Raises:
            CredentialsUnreadable: the file cannot be read, or is not ours.
        """
        try:
            return msgspec.json.decode(self._content(), type=Credentials)
        except FileNotFoundError:
            return Credentials()
        except OSError as error:
            raise CredentialsUnreadable(f"The key file {self.path} cannot be read: {error.strerror}.") from error
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise CredentialsUnreadable(f"The key file {self.path} is damaged: {error}.") from error

    def _content(self) -> bytes:
        with open(self.path, "rb", opener=_open_without_waiting) as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise CredentialsUnreadable(f"The key file {self.path} cannot be read: it is not a file.")
            if seen.st_size > MAX_FILE_BYTES:
                limit = f"expected at most {MAX_FILE_BYTES} bytes, got {seen.st_size}"
                raise CredentialsUnreadable(f"The key file {self.path} is damaged: {limit}.")
            return file.read(MAX_FILE_BYTES)

    def create(self, name: str, now_s: int, expires_at: int | None = None) -> NewKey:
        """Make a key and keep its hash.

        Raises:
            CredentialsUnreadable, OSError: the file cannot be changed.
        """
        text = f"{KEY_PREFIX}{secrets.token_hex(KEY_BYTES)}"
        digest = key_digest(text).hex()
        key = StoredKey(
            id=f"{KEY_ID_PREFIX}{digest[:ID_CHARACTERS]}",
            name=name,
            digest=digest,
            created_at=now_s,
            expires_at=expires_at,
        )
        with self._changing() as credentials:
            self._write(msgspec.structs.replace(credentials, keys=(*credentials.keys, key)))
        return NewKey(text, key)

    def revoke_key(self, id: str, now_s: int) -> bool:
        """Revoke a key by its id; returns whether there was such a key that was not revoked.

        Raises:
            CredentialsUnreadable, OSError: the file cannot be changed.
        """
        with self._changing() as credentials:
            keys = tuple(_revoked(key, now_s) if key.id == id else key for key in credentials.keys)
            if keys == credentials.keys:
                return False
            self._write(msgspec.structs.replace(credentials, keys=keys))
            return True

    def revoke_secret(self, id: str, now_s: int) -> None:
        """Tell servers to refuse a client secret; which secrets exist only they know.

        Raises:
            CredentialsUnreadable, OSError: the file cannot be changed.
        """
        with self._changing() as credentials:
            kept = [one for one in credentials.revoked_secrets if now_s - one.revoked_at <= MAX_SECRET_LIFE_S]
            revoked = (*(one for one in kept if one.id != id), RevokedSecret(id, now_s))
            self._write(msgspec.structs.replace(credentials, revoked_secrets=revoked))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Credentials]:
        """Give what the file holds, while no other process changes it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path.resolve().with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.load()
        finally:
            os.close(lock)  # which unlocks

    def _write(self, credentials: Credentials) -> None:
        target = self.path.resolve()  # behind a link there is one file for all who share it
        descriptor, name = tempfile.mkstemp(prefix=".keys-", dir=target.parent)  # mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(credentials), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
        _sync_folder(target.parent)


class KeyWatch:
    """The key file as a running server sees it: looked at when asked, at most once a second, read when it changed."""

    def __init__(self, file: KeyFile, unix_s: Callable[[], int]) -> None:
        self._file = file
        self._unix_s = unix_s
        self._looked_at = -1
        self._mark: tuple[int, ...] | None = None
        self._credentials = Credentials()

    @property
    def now_s(self) -> int:
        return self._unix_s()

    def credentials(self) -> Credentials:
        """Return what the file holds. While it cannot be read, what it held before is returned and that is logged."""
        now_s = self.now_s
        if now_s != self._looked_at:
            self._looked_at = now_s
            mark = self._look()
            if mark != self._mark:
                self._mark = mark
                self._read()
        return self._credentials

    def _look(self) -> tuple[int, ...] | None:
        try:
            seen = self._file.path.stat()
        except OSError:
            return None
        return seen.st_ino, seen.st_ctime_ns, seen.st_size  # the change of an owner or a mode counts too

    def _read(self) -> None:
        try:
            self._credentials = self._file.load()
        except CredentialsUnreadable as error:
            _log.error("the key file cannot be used; the keys of before stay", extra={"reason": str(error)})


def _revoked(key: StoredKey, now_s: int) -> StoredKey:
    return key if key.revoked_at is not None else msgspec.structs.replace(key, revoked_at=now_s)


def _open_without_waiting(path: str, flags: int) -> int:
    """Open what may turn out to be no file: a pipe would wait for its writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
