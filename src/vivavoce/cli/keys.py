"""`vivavoce keys`: the API keys of the server."""

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import typer

from vivavoce.app.secrets import PREFIX
from vivavoce.cli.faults import CommandError, faults_as_sentences, load_configuration
from vivavoce.runtime.clock import SystemClock
from vivavoce.store.credentials import (
    ID_CHARACTERS,
    KEY_ID_PREFIX,
    KEY_PREFIX,
    SECRET_ID_PREFIX,
    CredentialsUnreadable,
    KeyFile,
    StoredKey,
    key_digest,
)
from vivavoce.wiring import key_file

MAX_NAME_CHARACTERS: Final = 100
DAY_S: Final = 86_400
_SECRET_ID: Final = re.compile(rf"{SECRET_ID_PREFIX}[0-9a-f]{{{ID_CHARACTERS}}}")


class KeyPlace(msgspec.Struct, frozen=True):
    """Where the key file is looked for: `data_dir` goes before the configuration's."""

    data_dir: Path | None = None
    config: Path | None = None

    def file(self) -> KeyFile:
        flags = {"data_dir": None if self.data_dir is None else str(self.data_dir)}
        return key_file(load_configuration(self.config, flags).configuration)


def run_create(place: KeyPlace, name: str, expires_days: int | None) -> None:
    """Make a key; the key itself goes to standard output, everything else to standard error."""
    with faults_as_sentences(), _unreadable_as_sentence():
        if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
            raise CommandError(f"--name: expected at most {MAX_NAME_CHARACTERS} printable characters, got {name!r}.")
        now_s = SystemClock().unix_s()
        expires_at = None if expires_days is None else now_s + expires_days * DAY_S
        file = place.file()
        with _full_disk_as_sentence(file):
            made = file.create(name, now_s, expires_at)
        typer.echo(f"Made {made.stored.id} in {file.path}. This is the only time the key is shown:", err=True)
        typer.echo(made.text)


def run_list(place: KeyPlace, *, as_json: bool) -> None:
    """Print one line for each key, oldest first."""
    with faults_as_sentences(), _unreadable_as_sentence():
        keys = place.file().load().keys
        now_s = SystemClock().unix_s()
        if as_json:
            typer.echo(json.dumps([_row(key, now_s) for key in keys], indent=2, ensure_ascii=False))
            return
        for key in keys:
            typer.echo(_line(key, now_s))


def run_revoke(place: KeyPlace, id: str) -> None:
    """Revoke a key or a client secret by its id, or by itself; then too only its id is printed."""
    with faults_as_sentences(), _unreadable_as_sentence():
        id = _id_of(id)
        with _full_disk_as_sentence(place.file()) as file:
            _revoke(file, id)
        typer.echo(f"Revoked {id}. Running sessions go on; no other is opened with it.", err=True)


def _revoke(file: KeyFile, id: str) -> None:
    now_s = SystemClock().unix_s()
    if _SECRET_ID.fullmatch(id):
        file.revoke_secret(id, now_s)  # only the servers know which secrets exist
    elif not file.revoke_key(id, now_s):
        raise CommandError(f"No key with the id {id!r} that is not revoked already.")


def _id_of(text: str) -> str:
    """Return the id of a key or a secret that was given in place of its id."""
    for beginning, prefix in ((KEY_PREFIX, KEY_ID_PREFIX), (PREFIX, SECRET_ID_PREFIX)):
        if text.startswith(beginning):
            return f"{prefix}{key_digest(text).hex()[:ID_CHARACTERS]}"
    return text


@contextlib.contextmanager
def _unreadable_as_sentence() -> Iterator[None]:
    try:
        yield
    except CredentialsUnreadable as error:
        raise CommandError(str(error)) from error


@contextlib.contextmanager
def _full_disk_as_sentence(file: KeyFile) -> Iterator[KeyFile]:
    try:
        yield file
    except OSError as error:
        reason = error.strerror or str(error)
        raise CommandError(f"The key file {file.path} cannot be changed: {reason}. Nothing was changed.") from error


def _line(key: StoredKey, now_s: int) -> str:
    until = f", until {_day(key.expires_at)}" if key.expires_at is not None else ""
    return f"{key.id}  {key.state(now_s):<7}  made {_day(key.created_at)}{until}  {key.name}".rstrip()


def _row(key: StoredKey, now_s: int) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now_s),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _day(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()
