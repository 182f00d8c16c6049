"""The key file: what it holds, that nothing is lost or half written, and how a server follows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from vivavoce.store.credentials import (
    MAX_SECRET_LIFE_S,
    CredentialsUnreadable,
    KeyFile,
    KeyWatch,
    key_digest,
)

NOW_S = 1_800_000_000
CREATE_TEN = """
import sys
from pathlib import Path
from vivavoce.store.credentials import KeyFile
file = KeyFile(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    file.create(f"{sys.argv[2]}-{number}", 0)
"""
DEADLINE_S = 60.0


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "data" / "keys.json")


class Time:
    """Unix seconds that the test sets."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> int:
        return self.now_s


# The file ------------------------------------------------------------------------------------------------------------


def test_without_a_file_there_are_no_keys(file: KeyFile) -> None:
    assert file.load().keys == ()
    assert not file.path.parent.exists()


def test_a_key_is_kept_as_its_hash_only(file: KeyFile) -> None:
    made = file.create("laptop", NOW_S)

    (stored,) = file.load().keys
    assert stored == made.stored
    assert (stored.name, stored.created_at, stored.digest) == ("laptop", NOW_S, key_digest(made.text).hex())
    assert made.text not in file.path.read_text()
    assert made.text not in repr(made)


def test_a_key_has_256_random_bits_and_a_prefix(file: KeyFile) -> None:
    texts = {file.create("", NOW_S).text for _ in range(5)}

    assert len(texts) == 5
    assert all(text.startswith("vv_") and len(bytes.fromhex(text[3:])) == 32 for text in texts)


def test_only_the_owner_can_read_the_file(file: KeyFile) -> None:
    file.create("", NOW_S)
    file.create("", NOW_S)

    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_change_leaves_nothing_else_behind(file: KeyFile) -> None:
    file.revoke_key(file.create("", NOW_S).stored.id, NOW_S)

    assert sorted(path.name for path in file.path.parent.iterdir()) == ["keys.json", "keys.lock"]


def test_a_change_that_fails_leaves_the_file_as_it_was(file: KeyFile) -> None:
    kept = file.create("first", NOW_S).stored
    file.path.parent.chmod(0o700)
    file.path.rename(file.path.with_name("kept.json"))
    file.path.mkdir()  # nothing can be put in its place

    with pytest.raises(CredentialsUnreadable):
        file.create("second", NOW_S)

    file.path.rmdir()
    file.path.with_name("kept.json").rename(file.path)
    assert file.load().keys == (kept,)
    assert not [path for path in file.path.parent.iterdir() if path.name.startswith(".keys-")]


def test_two_processes_that_make_keys_at_once_lose_none(file: KeyFile) -> None:
    command = [sys.executable, "-c", CREATE_TEN, str(file.path)]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([*command, "a"], stdin=pipe, stdout=pipe, text=True) as first,
        subprocess.Popen([*command, "b"], stdin=pipe, stdout=pipe, text=True) as second,
    ):
        for process in (first, second):
            assert process.stdout is not None and process.stdin is not None
            assert process.stdout.readline() == "ready\n"
        for process in (first, second):
            process.communicate("go\n", timeout=DEADLINE_S)

    names = {key.name for key in file.load().keys}
    assert names == {f"{letter}-{number}" for letter in "ab" for number in range(10)}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b'{"keys": [{"id": 1}]}', b"\xff"])
def test_a_damaged_file_is_told_by_its_name_and_not_replaced(file: KeyFile, content: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(content)

    with pytest.raises(CredentialsUnreadable, match=r"keys\.json is damaged"):
        file.create("", NOW_S)

    assert file.path.read_bytes() == content


# The life of a key ---------------------------------------------------------------------------------------------------


def test_a_revoked_key_stays_in_the_file_and_is_not_live(file: KeyFile) -> None:
    gone, kept = file.create("gone", NOW_S).stored, file.create("kept", NOW_S).stored

    assert file.revoke_key(gone.id, NOW_S + 1)

    credentials = file.load()
    assert credentials.live_keys(NOW_S + 1) == (kept,)
    assert [key.state(NOW_S + 1) for key in credentials.keys] == ["revoked", "live"]


def test_only_a_key_that_is_there_and_not_revoked_can_be_revoked(file: KeyFile) -> None:
    key = file.create("", NOW_S).stored

    assert not file.revoke_key("key_0", NOW_S)
    assert file.revoke_key(key.id, NOW_S)
    assert not file.revoke_key(key.id, NOW_S + 5)
    assert file.load().keys[0].revoked_at == NOW_S


def test_a_key_is_live_until_the_second_it_expires(file: KeyFile) -> None:
    key = file.create("", NOW_S, expires_at=NOW_S + 10).stored

    assert key.state(NOW_S + 9) == "live"
    assert key.state(NOW_S + 10) == "expired"


def test_revoked_secrets_are_remembered_for_as_long_as_a_secret_may_live(file: KeyFile) -> None:
    file.revoke_secret("secret_1", NOW_S)
    file.revoke_secret("secret_2", NOW_S + MAX_SECRET_LIFE_S)
    both = {one.id for one in file.load().revoked_secrets}
    file.revoke_secret("secret_3", NOW_S + MAX_SECRET_LIFE_S + 1)

    assert both == {"secret_1", "secret_2"}
    assert {one.id for one in file.load().revoked_secrets} == {"secret_2", "secret_3"}


# A running server ----------------------------------------------------------------------------------------------------


def test_a_server_notices_changes_within_a_second_and_looks_no_more_often(file: KeyFile) -> None:
    time = Time()
    watch = KeyWatch(file, time)
    assert watch.credentials().keys == ()

    made = file.create("", NOW_S).stored
    assert watch.credentials().keys == ()
    time.now_s += 1
    assert watch.credentials().live_keys(time.now_s) == (made,)

    file.revoke_key(made.id, NOW_S)
    assert watch.credentials().live_keys(time.now_s) == (made,)
    time.now_s += 1
    assert watch.credentials().live_keys(time.now_s) == ()


def test_a_server_keeps_its_keys_while_the_file_is_damaged(file: KeyFile, caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    watch = KeyWatch(file, time)
    made = file.create("", NOW_S).stored
    assert watch.credentials().keys == (made,)

    file.path.write_bytes(b"{")
    time.now_s += 1
    damaged = watch.credentials().keys
    time.now_s += 1
    watch.credentials()

    assert damaged == (made,)
    assert len(caplog.records) == 1, "told once, not at every request"


def test_a_file_that_is_gone_takes_its_keys_along(file: KeyFile) -> None:
    time = Time()
    watch = KeyWatch(file, time)
    file.create("", NOW_S)
    assert len(watch.credentials().keys) == 1

    file.path.unlink()
    time.now_s += 1

    assert watch.credentials().keys == ()
