"""API keys: where they are carried, and which are ours."""

import pytest

from vivavoce.app.authentication import KeyRing, credential_id, header_keys, protocol_keys


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
