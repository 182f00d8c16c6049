"""Property: whatever the bytes of a message, decoding returns an event or raises ClientError, and nothing else.

`VIVAVOCE_FUZZ_SECONDS` gives the target about that long instead of the examples of the hypothesis profile.
"""

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings

from tests.protocol.payloads import any_payloads
from vivavoce.dialects import ga
from vivavoce.protocol.errors import ClientError

EXAMPLES_PER_SECOND: Final = 400  # measured with this strategy on a small machine
SECONDS: Final = float(os.environ.get("VIVAVOCE_FUZZ_SECONDS", "0"))
EXAMPLES: Final = int(SECONDS * EXAMPLES_PER_SECOND) or settings().max_examples


@pytest.mark.fuzz
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(any_payloads())
def test_decoding_returns_an_event_or_raises_client_error(payload: bytes | str) -> None:
    try:
        ga.decode(payload)
    except ClientError:
        pass
