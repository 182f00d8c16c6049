"""Where a client connects to."""

import pytest

from vivavoce.cli.peers import session_url


@pytest.mark.parametrize(
    ("url", "model", "expected"),
    [
        ("ws://127.0.0.1:8040/v1/realtime", None, "ws://127.0.0.1:8040/v1/realtime"),
        ("http://127.0.0.1:8040", None, "ws://127.0.0.1:8040/v1/realtime"),
        ("https://voice.example/", "m", "wss://voice.example/v1/realtime?model=m"),
        ("127.0.0.1:8040", "a b", "ws://127.0.0.1:8040/v1/realtime?model=a+b"),
        ("wss://h/openai/v1/realtime?x=1", "m", "wss://h/openai/v1/realtime?x=1&model=m"),
    ],
)
def test_a_server_may_be_named_in_any_usual_form(url: str, model: str | None, expected: str) -> None:
    assert session_url(url, model) == expected
