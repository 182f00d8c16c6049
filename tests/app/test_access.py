"""The Host and Origin check, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.app.access import (
    Asked,
    Authority,
    access_policy,
    check_access,
    cors_headers,
    is_protected,
    opens_to_secrets,
    parse_authority,
    with_keys,
)

OPEN = access_policy()
NAMED = access_policy(["voice.example", "192.0.2.7", "fd00::7"], ["https://app.example", "http://localhost:5173"])
KEYED = access_policy(["voice.example"], ["*"], has_keys=True)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", Authority("localhost", None)),
        ("LocalHost:8040", Authority("localhost", 8040)),
        ("localhost.:8040", Authority("localhost", 8040)),
        ("127.0.0.1:8040", Authority("127.0.0.1", 8040)),
        ("[::1]:8040", Authority("::1", 8040)),
        ("[0:0:0:0:0:0:0:1]", Authority("::1", None)),
        ("[::1%eth0]", Authority("::1%eth0", None)),
        ("[127.0.0.1]", None),
        ("", None),
        (":8040", None),
        (".", None),
        ("localhost:http", None),
        ("localhost:-1", None),
        ("localhost:٣", None),
        ("localhost@evil.example", None),
        ("evil.example/localhost", None),
        ("localhost evil.example", None),
        ("[::1", None),
        ("::1]:1", None),
        ("localhost, evil.example", None),
    ],
)
def test_an_authority_has_one_normal_form(host: str, expected: Authority | None) -> None:
    assert parse_authority(host) == expected


@pytest.mark.parametrize(
    ("host", "is_served"),
    [
        ("localhost:8040", True),
        ("LOCALHOST.:8040", True),
        ("localhost:1", True),  # a forwarded port; the name is what matters
        ("127.0.0.1:8040", True),
        ("[::1]:8040", True),
        ("voice.example", True),
        ("Voice.Example.:443", True),
        ("192.0.2.7:8040", True),
        ("[fd00::7]:8040", True),
        ("evil.example:8040", False),
        ("localhost.evil.example", False),
        ("evil-localhost", False),
        ("127.0.0.2", False),
        ("127.1", False),
        ("2130706433", False),
        ("[::2]", False),
        ("[::ffff:127.0.0.1]", False),
        ("", False),
    ],
)
def test_a_host_is_ours_or_answered_with_421(host: str, is_served: bool) -> None:
    refused = check_access(NAMED, Asked([host]))

    assert (None if refused is None else refused.status) == (None if is_served else 421)


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]])
def test_anything_but_one_host_is_answered_with_421(hosts: list[str]) -> None:
    refused = check_access(OPEN, Asked(hosts))

    assert refused is not None
    assert refused.status == 421


def test_the_address_a_connection_came_in_at_is_a_host_of_ours() -> None:
    assert check_access(OPEN, Asked(["192.0.2.1:8040"], local_address="192.0.2.1")) is None
    assert check_access(OPEN, Asked(["192.0.2.2:8040"], local_address="192.0.2.1")) is not None


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost:8040", True),
        ("https://localhost:8040", True),  # behind a proxy that ends TLS
        ("HTTP://LOCALHOST:8040", True),
        ("http://localhost.:8040", True),
        ("https://app.example", True),
        ("https://APP.example:443", True),
        ("http://localhost:5173", True),
        ("null", False),
        ("", False),
        ("http://localhost", False),
        ("http://localhost:8041", False),
        ("http://127.0.0.1:8040", False),
        ("http://app.example", False),
        ("https://app.example:444", False),
        ("https://evil.app.example", False),
        ("https://app.example.evil.example", False),
        ("http://localhost:8040.evil.example", False),
        ("http://localhost:8040@evil.example", False),
        ("http://localhost:8040/path", False),
        ("file://", False),
        ("chrome-extension://abcdef", False),
        ("http://[::1", False),
    ],
)
def test_an_origin_is_our_own_or_allowed_or_answered_with_403(origin: str, is_allowed: bool) -> None:
    refused = check_access(NAMED, Asked(["localhost:8040"], [origin]))

    assert (None if refused is None else refused.status) == (None if is_allowed else 403)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("voice.example", "https://voice.example"),
        ("voice.example", "http://voice.example"),
        ("voice.example:443", "https://voice.example"),
        ("[fd00::7]:8040", "http://[fd00::7]:8040"),
        ("[FD00:0::7]:8040", "http://[fd00::7]:8040"),
    ],
)
def test_our_own_origin_is_told_through_default_ports_and_spellings(host: str, origin: str) -> None:
    assert check_access(NAMED, Asked([host], [origin])) is None


def test_no_origin_passes_and_two_do_not() -> None:
    own = "http://localhost:8040"

    assert check_access(OPEN, Asked(["localhost:8040"])) is None
    assert check_access(OPEN, Asked(["localhost:8040"], [own, own])) is not None


def test_a_foreign_host_is_refused_whatever_its_origin() -> None:
    """DNS rebinding: the page and the request agree on a foreign name."""
    refused = check_access(OPEN, Asked(["evil.example"], ["http://evil.example"]))

    assert refused is not None
    assert refused.status == 421


def test_with_keys_every_origin_can_be_allowed_but_null() -> None:
    assert check_access(KEYED, Asked(["voice.example"], ["https://anywhere.example"])) is None
    assert check_access(KEYED, Asked(["voice.example"], ["null"])) is not None


def test_cors_names_any_origin_only_when_keys_protect_the_api() -> None:
    assert cors_headers(KEYED, "https://anywhere.example")["access-control-allow-origin"] == "*"
    assert cors_headers(OPEN, "http://localhost:1")["access-control-allow-origin"] == "http://localhost:1"
    assert cors_headers(OPEN, "http://localhost:1")["vary"] == "Origin"
    assert "access-control-allow-origin" not in cors_headers(OPEN, None)


@pytest.mark.parametrize(
    ("names", "origins", "words"),
    [
        (["a b"], [], "host name"),
        (["voice.example:443"], [], "without a port"),
        ([], ["app.example"], "origin"),
        ([], ["https://app.example/"], "origin"),
        ([], ["null"], "origin"),
        ([], ["*"], "only when API keys are configured"),
    ],
)
def test_what_could_never_match_is_refused_in_the_settings(names: list[str], origins: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        access_policy(names, origins)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1", True),
        ("/v1/models", True),
        ("/openai/v1/models", True),
        ("/api/x", True),
        ("/metrics", True),
        ("/", False),
        ("/healthz", False),
        ("/v1x", False),
        ("/assets/app.js", False),
    ],
)
def test_the_api_is_protected_and_the_page_is_not(path: str, expected: bool) -> None:
    assert is_protected(path) is expected


@pytest.mark.fuzz
@given(st.lists(st.text(max_size=40), max_size=2), st.lists(st.text(max_size=40), max_size=2))
def test_any_headers_are_judged_without_an_exception(hosts: list[str], origins: list[str]) -> None:
    refused = check_access(NAMED, Asked(hosts, origins, "127.0.0.1"))

    assert refused is None or refused.status in (403, 421)


def test_any_origin_is_admitted_only_while_a_key_is_demanded() -> None:
    asked = Asked(["voice.example"], ["https://anywhere.example"])

    assert check_access(with_keys(KEYED, has_keys=True), asked) is None
    refused = check_access(with_keys(KEYED, has_keys=False), asked)
    assert refused is not None and refused.status == 403


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/realtime", True),
        ("/v1/realtime/calls", True),
        ("/v1/realtime/calls/rtc_1/hangup", True),
        ("/openai/v1/realtime/calls", True),
        ("/v1/realtime/translations/calls", True),
        ("/v1/realtime/client_secrets", False),
        ("/v1/realtime/sessions", False),
        ("/v1/realtime/callsign", False),
        ("/v1/models", False),
        ("/api/client_secrets", False),
        ("/metrics", False),
    ],
)
def test_a_client_secret_is_for_realtime_paths(path: str, expected: bool) -> None:
    assert opens_to_secrets(path) is expected
