"""Which servers a client may name: the rule on URLs, on allowed hosts, and on what is sent along."""

from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.hosts import (
    check_authorization,
    check_entries,
    check_headers,
    check_url,
    is_named,
    read_endpoint,
)

PIECES = (
    "http: https: HTTPS: ftp: // / \\ : @ ? # . .. [ ] %2e %00 \t \n \0 ä xn--4ca a.example A.Example b.example "
    "127.0.0.1 127.1 0x7f.1 0177.0.0.1 2130706433 169.254.169.254 ::1 ::ffff:127.0.0.1 fe80::1%25eth0 localhost 80 443 "
    "example 65536 mcp user:pass ０ 。"
).split(" ")
URLS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.builds("{}://{}{}".format, st.sampled_from(("http", "https")), st.sampled_from(PIECES), st.text(max_size=12)),
    st.builds("https://{}/{}".format, st.text("abz09.-_:[]@%\\#", max_size=20), st.text(max_size=5)),
)


@given(URLS)
@example("https://a.example:443\\@b.example/")
@example("https://a.example/x#y")
def test_whatever_is_accepted_leads_other_parsers_to_the_same_allowed_host(url: str) -> None:
    allowed = ("a.example", "*.b.example", "127.0.0.1")

    try:
        check_url(url, allowed, "tools[0].server_url")
    except ClientError as error:
        assert (error.detail.code, error.detail.param) == ("invalid_value", "tools[0].server_url")
        return

    endpoint = read_endpoint(url)
    other, third = httpx2.URL(url), urlsplit(url)
    assert (other.scheme, other.host) == (third.scheme, third.hostname) == (endpoint.scheme, endpoint.host)
    assert endpoint.port == (other.port or {"http": 80, "https": 443}[other.scheme])
    assert endpoint.host in ("a.example", "127.0.0.1") or endpoint.host.endswith(".b.example")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.example/mcp", "a.example"),
        ("https://A.Example:8443/mcp?x=1", "a.EXAMPLE"),
        ("http://a.example/mcp", "a.example"),
        ("https://deep.below.a.example", "*.a.example"),
        ("https://a.example/@user/mcp", "*"),
        ("https://xn--4ca.example/", "*"),
        ("https://8.8.8.8/", "*"),
        ("https://[2606:4700::1111]/", "*"),
        ("http://127.0.0.1:9000/mcp", "127.0.0.1"),
        ("http://[::1]:9000/mcp", "::1"),
        ("http://my_service:9000/mcp", "my_service"),
    ],
)
def test_an_allowed_host_is_accepted(url: str, allowed: str) -> None:
    check_url(url, (allowed,))


@pytest.mark.parametrize(
    ("url", "allowed", "says"),
    [
        ("https://b.example/", ("a.example",), "the host 'b.example' is not among the allowed hosts 'a.example'"),
        ("https://a.example/", ("*.a.example",), "not among"),
        ("https://xa.example/", ("*.a.example",), "not among"),
        ("https://a.example.evil.example/", ("a.example",), "not among"),
        ("https://1.2.3.4/", ("*.4",), "not among"),
        ("http://b.example/", ("*",), "expected https"),
        ("http://b.a.example/", ("*.a.example",), "expected https"),
        ("https://a.example/", (), "does not let clients name remote servers"),
    ],
)
def test_another_host_is_refused_and_told_what_is_allowed(url: str, allowed: tuple[str, ...], says: str) -> None:
    with pytest.raises(ClientError, match=says) as refused:
        check_url(url, allowed, "session.tools[0].server_url")

    assert refused.value.detail.param == "session.tools[0].server_url"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://a.example/", "starts with 'https://'"),
        ("//a.example/", "starts with 'https://'"),
        ("https://", "is no host name"),
        ("https://a..example/", "is no host name"),
        ("https://-a.example/", "is no host name"),
        ("https://%61.example/", "is no host name"),
        ("https://user:secret@a.example/", "without a user name"),
        ("https://a.example/#part", "without a fragment"),
        ("https://a.example./", "without the dot"),
        ("https://ä.example/", "ASCII"),
        ("https://a.example/ä", "ASCII"),
        ("https://a.example/a b", "ASCII"),
        ("https://a.example\\@b.example/", "ASCII"),
        ("https://a.example/\n", "ASCII"),
        ("https://a.example:0/", "expected a URL like"),
        ("https://a.example:/", "expected a URL like"),
        ("https://a.example:65536/", "port up to 65535"),
        ("https://127.1/", "canonical"),
        ("https://2130706433/", "canonical"),
        ("https://0x7f000001/", "canonical"),
        ("https://0x7f.0.0.1/", "canonical"),
        ("https://0177.0.0.1/", "canonical"),
        ("https://127.0.0.1.0/", "canonical"),
        ("https://example.0x7f/", "canonical"),
        ("https://[0:0:0:0:0:0:0:1]/", "canonical form, which is '::1'"),
        ("https://[::FFFF]/x", "not among"),
        ("https://[fe80::1%25eth0]/", "canonical"),
        ("https://[fe80::1%eth0]/", "canonical"),
        ("https://[::1/", "expected a URL like"),
        ("https://a.example/" + "x" * 2048, "at most 2048 characters"),
    ],
)
def test_a_url_that_parsers_could_read_differently_is_refused(url: str, says: str) -> None:
    with pytest.raises(ClientError, match=says):
        check_url(url, ("a.example", "127.0.0.1", "::1"))


def test_a_refusal_repeats_neither_password_nor_path() -> None:
    with pytest.raises(ClientError) as password:
        check_url("https://user:hunter2@a.example/", ("*",))
    with pytest.raises(ClientError) as path:
        check_url("https://b.example/hunter2?key=hunter2", ("a.example",))

    assert "hunter2" not in f"{password.value}{path.value}"


def test_a_long_list_of_allowed_hosts_is_cut() -> None:
    with pytest.raises(ClientError, match="'host9.example' and 90 more"):
        check_url("https://b.example/", [f"host{number}.example" for number in range(100)])


def test_a_wildcard_does_not_name_a_host() -> None:
    named = [is_named("a.example", entries) for entries in (("A.example",), ("*",), ("*.example",))]

    assert named == [True, False, False]


def test_entries_of_every_kind_are_accepted() -> None:
    check_entries(("*", "*.a.example", "A.example", "localhost", "10.0.0.1", "::1", "my_service"))


@pytest.mark.parametrize(
    "entry",
    ["localhost:80", "https://a.example", "a.example/", "", "*.", "**", "*.*", "*.1.2.3.4", "*.::1", "[::1]", "127.1"],
)
def test_an_entry_that_could_never_match_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="'"):
        check_entries((entry,))


def test_plain_headers_and_tokens_are_accepted() -> None:
    check_headers({"X-Api-Key": "a b", "Cookie": "a=b"}, has_authorization=True)
    check_headers({"Authorization": "Basic eHl6"})
    check_authorization("sk-abc.DEF_123~+/=")


@pytest.mark.parametrize(
    ("headers", "param", "says"),
    [
        ({"": "x"}, "headers", "no header name"),
        ({"a b": "x"}, "headers", "no header name"),
        ({"x\r\ny": "x"}, "headers", "no header name"),
        ({"Host": "a.example"}, "headers.Host", "set by the server itself"),
        ({"content-length": "5"}, "headers.content-length", "set by the server itself"),
        ({"MCP-Session-Id": "x"}, "headers.MCP-Session-Id", "set by the server itself"),
        ({"x": "a\r\nHost: b"}, "headers.x", "without control characters"),
        ({"x": " padded "}, "headers.x", "without control characters"),
        ({"x": "snow ☃"}, "headers.x", "without control characters"),
        ({"x": ""}, "headers.x", "without control characters"),
        ({"x": "y" * 9000}, "headers.x", "at most 8192"),
        ({"X-A": "1", "x-a": "2"}, "headers", "given twice"),
        ({"Authorization": "x"}, "headers", "beside the field"),
        ({f"x-{number}": "y" for number in range(33)}, "headers", "at most 32 headers, but got 33"),
    ],
)
def test_a_header_that_could_change_the_request_is_refused(headers: dict[str, str], param: str, says: str) -> None:
    with pytest.raises(ClientError, match=says) as refused:
        check_headers(headers, has_authorization=True)

    assert refused.value.detail.param == param


@pytest.mark.parametrize("token", ["", "Bearer abc", "a\r\nb", "ä", "x" * 9000])
def test_what_is_no_bearer_token_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(ClientError, match="without 'Bearer'") as refused:
        check_authorization(token)

    assert not token or token not in str(refused.value)
