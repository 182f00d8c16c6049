"""Property: whatever a client of a translation session sends, reading it returns an event or raises ClientError."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.protocol.payloads import any_payloads
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.translation import decode_translation_event

_KEYS = st.sampled_from(
    ["type", "session", "audio", "input", "output", "language", "transcription", "noise_reduction", "model", "event_id"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["session.update", "session.close", "en", "\0", "AA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=20,
)
_NEARLY_EVENTS = st.dictionaries(_KEYS, _VALUES, max_size=5).map(
    lambda event: msgspec.json.encode({"type": "session.update", **event})
)


@pytest.mark.fuzz
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(any_payloads() | _NEARLY_EVENTS)
def test_reading_returns_an_event_or_raises_client_error(payload: bytes | str) -> None:
    try:
        decode_translation_event(payload)
    except ClientError:
        pass
