"""Session objects outside events: read as `session.update` reads them, and any payload gets an answer."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.session_body import DEFAULT_SECRET_S, decode_secret_body, decode_session

BAD_SESSIONS: list[Any] = [
    {"type": "other"},
    {},
    {"type": "realtime", "audio": {"output": {"voice": "bob"}}},
    {"type": "realtime", "audio": {"output": {"speed": 9}}},
    {"type": "realtime", "tools": [{"type": "function", "name": "a b"}]},
    {"type": "realtime", "unknown": 1},
    {"type": "realtime", "instructions": "\0"},
    7,
]


def fault_of(payload: object) -> tuple[str | None, str, str | None]:
    with pytest.raises(ClientError) as refused:
        decode_session(payload)
    detail = refused.value.detail
    return detail.code, detail.message, detail.param


@pytest.mark.parametrize("session", BAD_SESSIONS)
def test_errors_are_those_of_session_update(session: object) -> None:
    with pytest.raises(ClientError) as refused:
        decode_client_event(json.dumps({"type": "session.update", "session": session}))
    detail = refused.value.detail

    assert fault_of(session) == (detail.code, detail.message, detail.param)
    assert fault_of(msgspec.Raw(json.dumps(session).encode())) == (detail.code, detail.message, detail.param)


def test_a_session_is_read_with_what_is_tolerated() -> None:
    patch = decode_session({"type": "realtime", "max_output_tokens": 10.0, "instructions": None})

    assert patch.max_output_tokens == 10
    assert patch.instructions is None


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"session":null}', b'{"expires_after": null}'])
def test_a_body_may_ask_for_nothing(payload: bytes) -> None:
    body = decode_secret_body(payload)

    assert body.session is None
    assert body.lifetime_s == DEFAULT_SECRET_S


def test_a_second_member_cannot_be_smuggled_in() -> None:
    with pytest.raises(ClientError):
        decode_secret_body(b'{"session": {"type": "realtime"}, "event_id": "x"}')


@pytest.mark.fuzz
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
    | st.sampled_from([b'{"session":', b'{"expires_after":']).flatmap(
        lambda head: st.recursive(
            st.none() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        ).map(lambda value: head + json.dumps(value).encode() + b"}")
    )
)
def test_any_payload_is_a_body_or_a_client_error(payload: bytes) -> None:
    try:
        decode_secret_body(payload)
    except ClientError:
        pass
