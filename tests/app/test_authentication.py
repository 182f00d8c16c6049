"""API keys: where they are carried, and which are ours."""

from pathlib import Path

import pytest

from tests.app.serving import ManualClock
from vivavoce.app.authentication import Caller, Gatekeeper, KeyRing, credential_id, header_keys, protocol_keys
from vivavoce.app.errors import HttpError
from vivavoce.app.secrets import ClientSecrets, SecretOrder
from vivavoce.store.credentials import KeyFile, KeyWatch


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, []),
        ({"authorization": ["Bearer sk-1"]}, ["sk-1"]),
        ({"authorization": ["bearer  sk-1 "]}, ["sk-1"]),
        ({"authorization": ["Basic dXNlcg=="]}, []),
        ({"authorization": ["Bearer"]}, []),
        ({"authorization": ["sk-1"]}, []),
        ({"api-key": ["sk-1"]}, ["sk-1"]),
        ({"api-key": ["sk-1"], "authorization": ["Bearer sk-1"]}, ["sk-1"]),
        ({"api-key": ["sk-1"], "authorization": ["Bearer sk-2"]}, ["sk-1", "sk-2"]),
    ],
)
def test_keys_come_in_two_headers(headers: dict[str, list[str]], expected: list[str]) -> None:
    assert header_keys(headers) == expected


def test_keys_come_as_a_subprotocol() -> None:
    protocols = ["realtime", "openai-insecure-api-key.sk-1", "openai-beta.realtime-v1"]

    assert protocol_keys(protocols) == ["sk-1"]


def test_with_keys_only_they_are_admitted() -> None:
    ring = KeyRing(["sk-1", "sk-2"])

    assert ring.admits(["sk-2"])
    assert not ring.admits(["sk-3"])
    assert not ring.admits(["sk-"])
    assert not ring.admits([])


def test_a_good_key_does_not_cover_for_a_bad_one() -> None:
    assert not KeyRing(["sk-1"]).admits(["sk-1", "sk-2"])


def test_without_keys_everybody_is_admitted() -> None:
    ring = KeyRing([])

    assert ring.admits([])
    assert ring.admits(["anything"])


def test_a_credential_id_tells_keys_apart_and_does_not_show_them() -> None:
    first, second = credential_id(["sk-secret-1"]), credential_id(["sk-secret-2"])

    assert first is not None
    assert first != second
    assert "secret" not in first
    assert credential_id([]) is None


def test_a_key_ring_keeps_no_key() -> None:
    ring = KeyRing(["sk-secret"])

    assert "sk-secret" not in repr(vars(ring))


# Stored keys ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def ring_of(file: KeyFile, clock: ManualClock, *configured: str) -> KeyRing:
    return KeyRing(configured, KeyWatch(file, clock.unix_s))


def test_stored_keys_are_admitted_beside_configured_ones(file: KeyFile, clock: ManualClock) -> None:
    made = file.create("", clock.now_s)

    ring = ring_of(file, clock, "sk-1")

    assert ring.admits([made.text])
    assert ring.admits(["sk-1"])
    assert not ring.admits(["sk-2"])
    assert not ring.admits([made.stored.digest])


def test_the_first_key_closes_an_open_server_within_a_second(file: KeyFile, clock: ManualClock) -> None:
    ring = ring_of(file, clock)
    assert ring.admits([])

    made = file.create("", clock.now_s)
    clock.now_s += 1

    assert ring.has_keys
    assert not ring.admits([])
    assert ring.admits([made.text])


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("way", ["revoked", "expired"])
def test_a_server_whose_last_key_is_gone_admits_nobody(
    file: KeyFile, clock: ManualClock, way: str, is_restarted: bool
) -> None:
    made = file.create("", clock.now_s, expires_at=clock.now_s + 1 if way == "expired" else None)
    ring = ring_of(file, clock)
    assert ring.admits([made.text])

    if way == "revoked":
        file.revoke_key(made.stored.id, clock.now_s)
    clock.now_s += 1
    ring = ring_of(file, clock) if is_restarted else ring

    assert not ring.has_live_keys
    assert not ring.admits([made.text])
    assert not ring.admits([])
    assert not ring.admits(["anything"])


def test_a_running_server_does_not_open_when_its_key_file_is_deleted(file: KeyFile, clock: ManualClock) -> None:
    file.create("", clock.now_s)
    ring = ring_of(file, clock)
    assert ring.has_keys

    file.path.unlink()
    clock.now_s += 1

    assert not ring.admits([])


# Callers -------------------------------------------------------------------------------------------------------------


def test_a_secret_stands_for_the_key_that_made_it(clock: ManualClock) -> None:
    gatekeeper = Gatekeeper(KeyRing(["sk-1"]), ClientSecrets(clock.unix_s))
    text, secret = gatekeeper.secrets.mint(SecretOrder(lifetime_s=60, credential_id=credential_id(["sk-1"])))

    assert gatekeeper.identify([text]) == Caller(credential_id(["sk-1"]), secret)
    assert gatekeeper.identify(["sk-1", text]) == Caller(credential_id(["sk-1"]), secret)


def test_a_secret_made_by_nobody_dies_when_the_server_is_closed(file: KeyFile, clock: ManualClock) -> None:
    gatekeeper = Gatekeeper(ring_of(file, clock), ClientSecrets(clock.unix_s))
    text, _ = gatekeeper.secrets.mint(SecretOrder(lifetime_s=60))
    assert isinstance(gatekeeper.identify([text]), Caller)

    file.create("", clock.now_s)
    clock.now_s += 1

    assert refused(gatekeeper, [text]) == "invalid_api_key"


@pytest.mark.parametrize("configured", [(), ("sk-1",)])
def test_what_cannot_be_known_is_refused(clock: ManualClock, configured: tuple[str, ...]) -> None:
    gatekeeper = Gatekeeper(KeyRing(configured), ClientSecrets(clock.unix_s))
    order = SecretOrder(lifetime_s=60, credential_id=credential_id(["sk-1"]))
    (first, _), (second, _) = gatekeeper.secrets.mint(order), gatekeeper.secrets.mint(order)

    assert refused(gatekeeper, ["ek_unknown"]) == "invalid_api_key"
    assert refused(gatekeeper, [first, second]) == "invalid_api_key"
    assert refused(gatekeeper, ["sk-1", "ek_unknown"]) == "invalid_api_key"
    clock.now_s += 60
    assert refused(gatekeeper, [first]) == "ephemeral_token_expired"


def refused(gatekeeper: Gatekeeper, keys: list[str]) -> str | None:
    answer = gatekeeper.identify(keys)
    assert isinstance(answer, HttpError)
    assert answer.status == 401
    assert not any(key in answer.message for key in keys)
    return answer.code
