"""Key files that are none, and changes that are hard to see."""

import os
from pathlib import Path

import msgspec
import pytest

from vivavoce.store.credentials import (
    MAX_FILE_BYTES,
    Credentials,
    CredentialsUnreadable,
    KeyFile,
    KeyWatch,
    StoredKey,
)

KEY = {"id": "key_1", "name": "shop", "digest": "a" * 64, "created_at": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "zz"},
        {"digest": "A" * 64},
        {"digest": "a" * 64 + "\n"},
        {"created_at": -1},
        {"created_at": 10**14},
        {"expires_at": 10**14},
        {"revoked_at": -5},
    ],
)
def test_a_key_with_a_value_that_cannot_be_is_a_damaged_file(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(msgspec.json.encode({"version": 1, "keys": [{**KEY, **change}]}))

    with pytest.raises(CredentialsUnreadable, match="damaged"):
        KeyFile(path).load()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    os.mkfifo(path)

    with pytest.raises(CredentialsUnreadable, match="not a file"):
        KeyFile(path).load()


def test_a_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)

    with pytest.raises(CredentialsUnreadable, match="at most"):
        KeyFile(path).load()


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "data").mkdir()
    linked = tmp_path / "data" / "keys.json"
    linked.symlink_to(tmp_path / "shared" / "keys.json")

    made = KeyFile(linked).create("shop", 1)

    assert linked.is_symlink()
    assert KeyFile(tmp_path / "shared" / "keys.json").load().keys == (made.stored,)


def test_a_change_within_the_same_time_stamp_and_size_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(encoded("a" * 64))
    stamp = path.stat()
    time = iter(range(1, 100))
    watch = KeyWatch(KeyFile(path), lambda: next(time))
    before = watch.credentials().keys[0].digest

    path.write_bytes(encoded("b" * 64))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    assert (before, watch.credentials().keys[0].digest) == ("a" * 64, "b" * 64)


def encoded(digest: str) -> bytes:
    return msgspec.json.encode(Credentials(keys=(StoredKey(id="key_1", name="shop", digest=digest, created_at=1),)))
