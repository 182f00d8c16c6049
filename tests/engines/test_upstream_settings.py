"""Where an upstream is, how it is asked, and what is refused without being repeated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.upstream.settings import UpstreamSettings
from vivavoce.protocol.session_fields import SessionKind

SECRET = "sk-not-to-be-told"


def target(url: str = "https://api.example.com/v1", model: str | None = "m", **changes: Any) -> str:
    return UpstreamSettings(url, **changes).address(model).target


@pytest.mark.parametrize(
    ("url", "authority", "scheme", "port", "path"),
    [
        ("https://api.example.com/v1", "api.example.com", "https", 443, "/v1/realtime"),
        ("wss://api.example.com/v1/", "api.example.com", "https", 443, "/v1/realtime"),
        ("HTTP://localhost:8040/v1", "localhost:8040", "http", 8040, "/v1/realtime"),
        ("ws://127.0.0.1", "127.0.0.1", "http", 80, "/realtime"),
        ("https://[::1]:8443/openai", "[::1]:8443", "https", 8443, "/openai/realtime"),
    ],
)
def test_the_address_is_made_of_the_base(url: str, authority: str, scheme: str, port: int, path: str) -> None:
    address = UpstreamSettings(url).address(None)

    assert (address.authority, address.endpoint.scheme, address.endpoint.port) == (authority, scheme, port)
    assert address.target == path
    assert address.is_secure == (scheme == "https")


def test_the_model_stands_in_the_query() -> None:
    assert target(model="gpt realtime&x=1") == "/v1/realtime?model=gpt+realtime%26x%3D1"


def test_a_transcription_session_names_its_intent_and_no_model() -> None:
    kind: SessionKind = "transcription"

    assert UpstreamSettings("https://h/v1").address("m", kind).target == "/v1/realtime?intent=transcription"


def test_further_parameters_come_first() -> None:
    assert target(query=(("project", "a b"),)) == "/v1/realtime?project=a+b&model=m"


def test_azures_deployment_stands_for_the_model() -> None:
    query = (("api-version", "2025-04-01-preview"), ("deployment", "mine"))

    assert target("https://x.openai.azure.com/openai", query=query) == (
        "/openai/realtime?api-version=2025-04-01-preview&deployment=mine"
    )


def test_azures_key_takes_the_place_of_a_bearer_token() -> None:
    headers = UpstreamSettings("https://h/v1", SECRET, headers=(("Api-Key", "azure"),)).request_headers()

    assert headers == [("User-Agent", "vivavoce"), ("Api-Key", "azure")]


@pytest.mark.parametrize("identifier", [None, "", "two\r\nlines", "grün"])
def test_an_end_user_who_cannot_stand_in_a_header_is_left_out(identifier: str | None) -> None:
    names = [name for name, _ in UpstreamSettings("https://h/v1").request_headers(identifier)]

    assert names == ["User-Agent"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": "ftp://h/v1"}, "url"),
        ({"url": "https://user:pw@h/v1"}, "url"),
        ({"url": "https://h/v1?model=m"}, "url"),
        ({"url": "https://0x7f.1/v1"}, "url"),
        ({"api_key": SECRET + "\n"}, "api_key"),
        ({"api_key": SECRET * 1000}, "api_key"),
        ({"headers": (("X-A", SECRET + "\r\n"),)}, "headers.X-A"),
        ({"headers": (("X A", SECRET),)}, "headers"),
        ({"headers": (("Host", SECRET),)}, "headers.Host"),
        ({"headers": (("OpenAI-Beta", SECRET),)}, "headers.openai-beta"),
        ({"headers": (("Sec-WebSocket-Protocol", SECRET),)}, "headers.sec-websocket-protocol"),
        ({"headers": (("X-A", SECRET), ("x-a", SECRET))}, "headers.x-a"),
        ({"headers": (("Authorization", SECRET),), "api_key": SECRET}, "headers"),
        ({"query": (("model", SECRET),)}, "query.model"),
        ({"query": (("intent", SECRET),)}, "query.intent"),
        ({"connect_s": 0.0}, "connect_s"),
        ({"connect_s": float("nan")}, "connect_s"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_repeated(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError) as raised:
        UpstreamSettings(**{"url": "https://h/v1", **changes})

    assert str(raised.value).startswith(f"{field}: ")
    assert SECRET not in str(raised.value)


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_secret_shows_in_a_representation(key: str, value: str) -> None:
    try:
        settings = UpstreamSettings("https://example.com/v1", key, headers=(("x-key", value),))
    except ValueError:
        return

    assert repr(settings) == "UpstreamSettings(example.com:443, ga, api_key=set)"
    assert settings.secrets == (key, value)


def test_a_bearer_header_may_be_configured_where_no_key_is() -> None:
    settings = UpstreamSettings("https://h/v1", headers=(("Authorization", "Basic x"),))

    assert ("Authorization", "Basic x") in settings.request_headers()
