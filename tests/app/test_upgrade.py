"""What becomes of a request for a WebSocket, as tables."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.app.access import access_policy
from vivavoce.app.authentication import Gatekeeper, KeyRing
from vivavoce.app.errors import HttpError
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.secrets import ClientSecrets, SecretOrder
from vivavoce.app.upgrade import Accept, AcceptAndClose, Decision, UpgradePolicy, UpgradeRequest, decide
from vivavoce.protocol.session import SessionPatch

PATH = "/v1/realtime"
NONCE = "AAECAwQFBgcICQoLDA0ODw=="
NOW_S = 1_800_000_000


def gatekeeper(*keys: str) -> Gatekeeper:
    return Gatekeeper(KeyRing(keys), ClientSecrets(lambda: NOW_S))


OPEN = UpgradePolicy(access_policy(), gatekeeper(), ModelCatalogue((ModelCard("vivavoce-local"),)))
KEYED = msgspec.structs.replace(OPEN, gatekeeper=gatekeeper("sk-good"))
STRICT = msgspec.structs.replace(OPEN, models=ModelCatalogue((ModelCard("vivavoce-local"),), is_strict=True))

GOOD_KEY = {"authorization": ["Bearer sk-good"]}
BROWSER = {"sec-websocket-protocol": ["realtime, openai-insecure-api-key.sk-good"]}


def request_of(
    target: str = PATH, changes: Mapping[str, list[str] | None] | None = None, method: str = "GET"
) -> UpgradeRequest:
    headers = {"host": ["localhost:8040"], "sec-websocket-version": ["13"], "sec-websocket-key": [NONCE]}
    kept = {name: values for name, values in {**headers, **(changes or {})}.items() if values is not None}
    return UpgradeRequest(method, target, kept, "req_1")


def outcome(decision: Decision) -> tuple[int, str | None]:
    """Return the HTTP status or the close code, and the error code."""
    match decision:
        case Accept():
            return 101, None
        case AcceptAndClose():
            return decision.close_code, decision.error.code
        case HttpError():
            return decision.status, decision.code


@pytest.mark.parametrize("target", ["/v1/realtime", "/v1/realtime?model=m", "/openai/v1/realtime?model=m&x=1"])
def test_the_ga_paths_open_a_session(target: str) -> None:
    assert isinstance(decide(request_of(target), OPEN), Accept)


def test_the_session_request_tells_model_and_credential_but_not_the_key() -> None:
    decision = decide(request_of("/v1/realtime?model=gpt-realtime", {"authorization": ["Bearer sk-good"]}), KEYED)

    assert isinstance(decision, Accept)
    assert decision.session.model == "gpt-realtime"
    assert decision.session.request_id == "req_1"
    assert decision.session.credential_id is not None
    assert "sk-good" not in repr(decision)


def test_without_a_model_the_default_is_asked_for() -> None:
    for target in ("/v1/realtime", "/v1/realtime?model="):
        decision = decide(request_of(target), STRICT)
        assert isinstance(decision, Accept)
        assert decision.session.model is None


def test_the_subprotocol_realtime_is_selected_and_a_key_never_is() -> None:
    offered = decide(request_of(PATH, {"sec-websocket-protocol": ["openai-insecure-api-key.sk-good, realtime"]}), KEYED)
    key_only = decide(request_of(PATH, {"sec-websocket-protocol": ["openai-insecure-api-key.sk-good"]}), KEYED)
    none = decide(request_of(PATH, {"authorization": ["Bearer sk-good"]}), KEYED)

    assert isinstance(offered, Accept) and isinstance(key_only, Accept) and isinstance(none, Accept)
    assert offered.handshake.headers == (("x-request-id", "req_1"), ("Sec-WebSocket-Protocol", "realtime"))
    assert key_only.handshake.headers == none.handshake.headers == (("x-request-id", "req_1"),)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (401, "invalid_api_key")),
        ({"authorization": ["Bearer sk-bad"]}, (401, "invalid_api_key")),
        ({"api-key": ["sk-bad"]}, (401, "invalid_api_key")),
        ({"api-key": ["sk-bad"], "authorization": ["Bearer sk-good"]}, (401, "invalid_api_key")),
        ({"sec-websocket-protocol": ["realtime, openai-insecure-api-key.sk-bad"]}, (3000, "invalid_api_key")),
        ({"sec-websocket-protocol": ["realtime", "openai-insecure-api-key.sk-bad"]}, (3000, "invalid_api_key")),
        ({"sec-websocket-protocol": ["realtime"]}, (3000, "invalid_api_key")),
        ({"authorization": ["Bearer sk-good"]}, (101, None)),
        ({"api-key": ["sk-good"]}, (101, None)),
        ({"sec-websocket-protocol": ["realtime, openai-insecure-api-key.sk-good"]}, (101, None)),
    ],
)
def test_a_key_is_asked_for_in_the_way_the_client_can_understand(
    headers: dict[str, list[str]], expected: tuple[int, str | None]
) -> None:
    assert outcome(decide(request_of(PATH, headers), KEYED)) == expected


def test_the_close_reason_names_the_error() -> None:
    decision = decide(request_of(PATH, {"sec-websocket-protocol": ["realtime, openai-insecure-api-key.sk-bad"]}), KEYED)

    assert isinstance(decision, AcceptAndClose)
    assert decision.close_reason == "invalid_request_error.invalid_api_key"
    assert "sk-bad" not in repr(decision)


@pytest.mark.parametrize(
    "target", ["/v1/realtime?intent=transcription", "/v1/realtime?intent=transcription&model=nobody"]
)
def test_the_intent_transcription_opens_a_transcription_session_whatever_the_model(target: str) -> None:
    decision = decide(request_of(target), STRICT)

    assert isinstance(decision, Accept)
    assert (decision.session.kind, decision.session.model) == ("transcription", None)


def test_the_end_user_is_named_by_a_header() -> None:
    decision = decide(request_of(PATH, {"openai-safety-identifier": ["user-1"]}), OPEN)

    assert isinstance(decision, Accept)
    assert decision.session.safety_identifier == "user-1"


def test_a_secret_with_an_unserved_model_opens_nothing() -> None:
    policy = msgspec.structs.replace(STRICT, gatekeeper=gatekeeper())
    configuration = SessionPatch(type="realtime", model="nobody")
    text, _ = policy.gatekeeper.secrets.mint(SecretOrder(lifetime_s=60, configuration=configuration))

    decision = decide(request_of(PATH, {"authorization": [f"Bearer {text}"]}), policy)

    assert outcome(decision) == (404, "model_not_found")


@pytest.mark.parametrize("browser", [False, True])
@pytest.mark.parametrize(
    ("target", "by_status", "by_event"),
    [
        ("/v1/realtime?call_id=rtc_1", (404, "call_id_not_found"), (404, "call_id_not_found")),
        ("/v1/realtime?call_id=rtc_1&model=m", (404, "call_id_not_found"), (404, "call_id_not_found")),
        ("/v1/realtime?intent=other", (400, "invalid_value"), (4000, "invalid_value")),
        ("/v1/realtime?model=nobody", (404, "model_not_found"), (4004, "model_not_found")),
        ("/openai/v1/realtime?model=nobody", (404, "model_not_found"), (4004, "model_not_found")),
        ("/openai/realtime?api-version=1&deployment=nobody", (404, "model_not_found"), (4004, "model_not_found")),
        ("/openai/realtime?api-version=1&intent=other", (400, "invalid_value"), (4000, "invalid_value")),
        ("/openai/realtime/translations?model=m", (404, None), (404, None)),
        ("/v1/realtime/translations?model=m", (404, "model_not_found"), (4004, "model_not_found")),
        ("/v1/realtime/", (404, None), (404, None)),
        ("/", (404, None), (404, None)),
    ],
)
def test_what_is_not_served_is_refused(
    target: str, by_status: tuple[int, str | None], by_event: tuple[int, str | None], browser: bool
) -> None:
    headers = {"sec-websocket-protocol": ["realtime"]} if browser else {}

    assert outcome(decide(request_of(target, headers), STRICT)) == (by_event if browser else by_status)


AZURE = "/openai/realtime?api-version=2024-10-01-preview"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (PATH, {"openai-beta": ["realtime=v1"]}),
        (PATH, {"openai-beta": ["assistants=v2, realtime=v1"]}),
        (PATH, {"openai-beta": ["assistants=v2", "realtime=v1"]}),
        (PATH, {"sec-websocket-protocol": ["realtime, openai-beta.realtime-v1"]}),
        (PATH, {"sec-websocket-protocol": ["realtime", "openai-insecure-api-key.any", "openai-beta.realtime-v1"]}),
        ("/v1/realtime?intent=transcription", {"openai-beta": ["realtime=v1"]}),
        ("/openai/v1/realtime?model=m", {"openai-beta": ["realtime=v1"]}),
        (f"{AZURE}&deployment=d", {}),
        (f"{AZURE}&deployment=d", {"sec-websocket-protocol": ["realtime"]}),
        ("/openai/realtime", {}),
    ],
)
def test_every_beta_selector_opens_a_session_for_a_client_of_the_beta(
    target: str, headers: dict[str, list[str]]
) -> None:
    decision = decide(request_of(target, headers), OPEN)

    assert isinstance(decision, Accept)
    assert decision.is_beta
    selected = ("Sec-WebSocket-Protocol", "realtime") in decision.handshake.headers
    assert selected is ("sec-websocket-protocol" in headers)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (PATH, {}),
        (PATH, {"openai-beta": ["assistants=v2"]}),
        (PATH, {"openai-beta": ["xrealtime=v1"]}),
        (PATH, {"sec-websocket-protocol": ["realtime, openai-beta.realtime-v2"]}),
        ("/openai/v1/realtime?api-version=2024-10-01-preview&deployment=d", {}),
    ],
)
def test_other_clients_speak_todays_api(target: str, headers: dict[str, list[str]]) -> None:
    decision = decide(request_of(target, headers), OPEN)

    assert isinstance(decision, Accept)
    assert not decision.is_beta


@pytest.mark.parametrize(
    ("target", "model"),
    [
        (f"{AZURE}&deployment=d", "d"),
        (f"{AZURE}&deployment=d&model=m", "d"),
        (f"{AZURE}&model=m", "m"),
        (f"{AZURE}&deployment=", None),
        ("/v1/realtime?deployment=d&model=m", "m"),
        ("/v1/realtime?deployment=d", None),
        (f"{AZURE}&deployment=d&intent=transcription", None),
    ],
)
def test_a_deployment_is_a_model_where_the_beta_names_it_so(target: str, model: str | None) -> None:
    decision = decide(request_of(target, {"openai-beta": ["realtime=v1"]}), OPEN)

    assert isinstance(decision, Accept)
    assert decision.session.model == model


@pytest.mark.parametrize(
    ("target", "is_early"),
    [
        (AZURE, True),
        ("/openai/realtime?api-version=2025-04-01-preview", False),
        ("/openai/realtime", False),
        ("/v1/realtime?api-version=2024-10-01-preview", False),
    ],
)
def test_the_previews_of_2024_are_for_early_clients(target: str, is_early: bool) -> None:
    decision = decide(request_of(target, {"openai-beta": ["realtime=v1"]}), OPEN)

    assert isinstance(decision, Accept)
    assert decision.is_early_beta is is_early


def test_the_temperature_of_a_secret_is_for_the_connection() -> None:
    policy = msgspec.structs.replace(OPEN, gatekeeper=gatekeeper())
    text, _ = policy.gatekeeper.secrets.mint(SecretOrder(lifetime_s=60, temperature=0.7))
    headers = {"authorization": [f"Bearer {text}"], "openai-beta": ["realtime=v1"]}

    decision = decide(request_of(PATH, headers), policy)

    assert isinstance(decision, Accept)
    assert decision.temperature == 0.7


def test_the_key_is_checked_before_anything_is_told_about_the_rest() -> None:
    for target in ("/v1/realtime?call_id=rtc_1", "/v1/realtime?intent=x", "/openai/realtime"):
        assert outcome(decide(request_of(target), KEYED)) == (401, "invalid_api_key")


def test_host_and_origin_are_checked_before_the_key() -> None:
    assert outcome(decide(request_of(PATH, {"host": ["evil.example"]}), KEYED))[0] == 421
    assert outcome(decide(request_of(PATH, {"origin": ["http://evil.example"]}), KEYED))[0] == 403
    assert outcome(decide(request_of(PATH, {"origin": ["null"]}), OPEN))[0] == 403


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"sec-websocket-version": ["8"]}, 426),
        ({"sec-websocket-version": None}, 426),
        ({"sec-websocket-key": None}, 400),
        ({"sec-websocket-key": ["short"]}, 400),
        ({"sec-websocket-key": [NONCE, NONCE]}, 400),
        ({"sec-websocket-key": ["\xff" * 24]}, 400),
    ],
)
def test_a_bad_handshake_is_answered_as_http(changes: dict[str, list[str] | None], status: int) -> None:
    assert outcome(decide(request_of(PATH, changes), OPEN))[0] == status


def test_only_get_can_be_upgraded() -> None:
    assert outcome(decide(request_of(method="POST"), OPEN))[0] == 400


def test_a_target_in_absolute_form_is_understood() -> None:
    assert isinstance(decide(request_of("http://localhost:8040/v1/realtime?model=m"), OPEN), Accept)


@pytest.mark.fuzz
@given(
    st.text(max_size=60),
    st.dictionaries(
        st.sampled_from(["host", "origin", "authorization", "api-key", "openai-beta", "sec-websocket-protocol"]),
        st.lists(st.text(max_size=30), max_size=2),
    ),
)
def test_any_request_is_decided_without_an_exception(target: str, headers: dict[str, list[str]]) -> None:
    head = {"host": ["localhost"], "sec-websocket-version": ["13"], "sec-websocket-key": [NONCE], **headers}

    assert outcome(decide(UpgradeRequest("GET", target, head, "req_1"), KEYED))[0] >= 101
