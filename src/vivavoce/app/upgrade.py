"""What becomes of a request for a WebSocket, as a pure function of the request.

Clients that authenticate with headers are refused before the upgrade, by HTTP status. Browsers can read neither
status nor body of a failed upgrade, so clients that use subprotocols are let in, told with an `error` event, and
closed (protocol/README.md, Authentication on WebSockets).
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

import msgspec

from vivavoce.app.access import AccessPolicy, Asked, check_access, with_keys
from vivavoce.app.authentication import Caller, Gatekeeper, header_keys, protocol_keys
from vivavoce.app.bodies import error_of
from vivavoce.app.errors import REQUEST_ID_HEADER, HttpError, unknown_url
from vivavoce.app.models import ModelCatalogue, model_not_found
from vivavoce.app.secrets import ClientSecret, safety_identifier
from vivavoce.app.translations import no_translator
from vivavoce.protocol.errors import ClientError, ErrorDetail, invalid_value
from vivavoce.protocol.locks import refuse_locked
from vivavoce.runtime.sink import SessionRequest
from vivavoce.transports.connection import Handshake

GA_PATHS: Final = frozenset({"/v1/realtime", "/openai/v1/realtime"})
BETA_PATH: Final = "/openai/realtime"
TRANSLATION_PATHS: Final = frozenset(f"{path}/translations" for path in GA_PATHS)
PROTOCOL: Final = "realtime"
BETA_PROTOCOL: Final = "openai-beta.realtime-v1"
BETA_TOKEN: Final = "realtime=v1"
EARLY_VERSIONS: Final = "2024-"  # the beginning of what `api-version` is then
INTENTS: Final = ("transcription",)
_KEY_BYTES: Final = 16  # RFC 6455 section 4.1

CLOSE_AUTHENTICATION: Final = 3000
CLOSE_INVALID_REQUEST: Final = 4000
CLOSE_MODEL_NOT_FOUND: Final = 4004


class UpgradeRequest(msgspec.Struct, frozen=True):
    """A request head. Header names are lower case; a header that came twice has two values."""

    method: str
    target: str
    headers: Mapping[str, Sequence[str]]
    request_id: str
    local_address: str | None = None

    @property
    def path(self) -> str:
        """The path of the target, which may be a whole URL (RFC 9112 section 3.2.2)."""
        path = self.target.partition("?")[0]
        return path if path.startswith("/") else f"/{path.partition('://')[2].partition('/')[2]}"

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def protocols(self) -> list[str]:
        return [token.strip() for value in self.headers.get("sec-websocket-protocol", ()) for token in value.split(",")]


def never_translates(model: str | None) -> bool:
    """Return False: no engine translates."""
    return False


class UpgradePolicy(msgspec.Struct, frozen=True):
    """What the server's settings say about WebSockets."""

    access: AccessPolicy
    gatekeeper: Gatekeeper
    models: ModelCatalogue
    translates: Callable[[str | None], bool] = never_translates  # whether the engines behind a model name translate


class Accept(msgspec.Struct, frozen=True):
    """Open a session."""

    handshake: Handshake
    session: SessionRequest
    is_translation: bool = False
    is_beta: bool = False
    is_early_beta: bool = False
    temperature: float | None = None  # of the client secret, which a session has no place for


class AcceptAndClose(msgspec.Struct, frozen=True):
    """Answer the upgrade, send an `error` event, close."""

    handshake: Handshake
    error: ErrorDetail
    close_code: int

    @property
    def close_reason(self) -> str:
        return f"{self.error.type}.{self.error.code}"


Decision = Accept | AcceptAndClose | HttpError


class _Refusal(msgspec.Struct, frozen=True):
    """Why a well-formed upgrade is refused, in both languages: HTTP's and the event's."""

    error: HttpError
    close_code: int


def decide(request: UpgradeRequest, policy: UpgradePolicy) -> Decision:
    """Return what becomes of a request to upgrade."""
    refused = _check_access(request, policy) or _check_route(request) or _check_handshake(request)
    if refused is not None:
        return refused
    handshake = _handshake(request)
    caller = policy.gatekeeper.identify(header_keys(request.headers) or protocol_keys(request.protocols))
    if isinstance(caller, HttpError):
        return _refused(request, handshake, _Refusal(caller, CLOSE_AUTHENTICATION))
    if request.path in TRANSLATION_PATHS:
        return _decide_translation(request, caller, policy)
    if "call_id" in request.query and request.path != BETA_PATH:
        return _call_not_found(request.query["call_id"][0])
    refusal = _check_query(request, caller.secret, policy.models)
    if refusal is not None:
        return _refused(request, handshake, refusal)
    temperature = None if caller.secret is None else caller.secret.temperature
    return Accept(
        handshake,
        _session_request(request, caller),
        is_beta=_is_beta(request),
        is_early_beta=_is_early_beta(request),
        temperature=temperature,
    )


def _decide_translation(request: UpgradeRequest, caller: Caller, policy: UpgradePolicy) -> Decision:
    handshake = _handshake(request)
    if _is_beta(request):
        return _accept_and_close(handshake, _NO_BETA_TRANSLATION)
    secret = caller.secret
    model = _model(request) or (None if secret is None else secret.model)
    refusal = _check_translation(secret, model, policy)
    if refusal is not None:
        return _refused(request, handshake, refusal)
    accepted = SessionRequest(
        request_id=request.request_id,
        model=model,
        credential_id=caller.credential_id,
        safety_identifier=_safety_identifier(request, secret),
        translation=None if secret is None or secret.translation is None else secret.translation.patch,
    )
    return Accept(handshake, accepted, is_translation=True)


def _check_translation(secret: ClientSecret | None, model: str | None, policy: UpgradePolicy) -> _Refusal | None:
    if secret is not None and secret.kind not in (None, "translation"):
        return _wrong_kind(secret.kind)
    if not policy.models.serves(model):
        return _Refusal(model_not_found((model or "")[:100]), CLOSE_MODEL_NOT_FOUND)
    if not policy.translates(model):
        return _Refusal(no_translator(model or "default"), CLOSE_MODEL_NOT_FOUND)
    return None


def refuse_session(request: UpgradeRequest, fault: ClientError) -> Decision:
    """Return the answer to a request whose session cannot be had, in the way that the client can read."""
    return _refused(request, _handshake(request), _Refusal(error_of(fault), CLOSE_INVALID_REQUEST))


def _session_request(request: UpgradeRequest, caller: Caller) -> SessionRequest:
    secret = caller.secret
    is_transcription = "intent" in request.query or (secret is not None and secret.kind == "transcription")
    return SessionRequest(
        request_id=request.request_id,
        # Some clients name a model for transcription too; the session's `transcription.model` is what counts there.
        model=None if is_transcription else _model(request) or (None if secret is None else secret.model),
        credential_id=caller.credential_id,
        kind="transcription" if is_transcription else "realtime",
        configuration=None if secret is None else secret.configuration,
        relayed=None if secret is None else secret.relayed,
        safety_identifier=_safety_identifier(request, secret),
    )


def _safety_identifier(request: UpgradeRequest, secret: ClientSecret | None) -> str | None:
    named = safety_identifier(next(iter(request.headers.get("openai-safety-identifier", ())), None))
    return (None if secret is None else secret.safety_identifier) or named


def _model(request: UpgradeRequest) -> str | None:
    """Return the model that is asked for; on the beta's own path it is called a deployment."""
    names = ("deployment", "model") if request.path == BETA_PATH else ("model",)
    given = (request.query.get(name, [""])[0] for name in names)
    return next((model for model in given if model), None)


def _reads_no_status(request: UpgradeRequest) -> bool:
    return any(request.protocols) and not header_keys(request.headers)


def _is_beta(request: UpgradeRequest) -> bool:
    tokens = [token.strip() for value in request.headers.get("openai-beta", ()) for token in value.split(",")]
    return request.path == BETA_PATH or BETA_TOKEN in tokens or BETA_PROTOCOL in request.protocols


def _is_early_beta(request: UpgradeRequest) -> bool:
    """Return whether a preview of 2024 is asked for; its clients do not know the events that came later."""
    versions = request.query.get("api-version", ())
    return request.path == BETA_PATH and any(version.startswith(EARLY_VERSIONS) for version in versions)


def _handshake(request: UpgradeRequest) -> Handshake:
    headers = [(REQUEST_ID_HEADER, request.request_id)]
    if PROTOCOL in request.protocols:
        headers.append(("Sec-WebSocket-Protocol", PROTOCOL))
    return Handshake(request.headers["sec-websocket-key"][0].strip(), tuple(headers))


# Checks ---------------------------------------------------------------------------------------------------------


def _check_access(request: UpgradeRequest, policy: UpgradePolicy) -> HttpError | None:
    asked = Asked(request.headers.get("host", ()), request.headers.get("origin", ()), request.local_address)
    return check_access(with_keys(policy.access, has_keys=policy.gatekeeper.ring.has_keys), asked)


def _check_route(request: UpgradeRequest) -> HttpError | None:
    if request.path in GA_PATHS | TRANSLATION_PATHS or request.path == BETA_PATH:
        return None
    return unknown_url("WebSocket", request.path)


def _check_handshake(request: UpgradeRequest) -> HttpError | None:
    """RFC 6455 section 4.2.1; that `Upgrade` and `Connection` ask for a WebSocket is known already."""
    if request.method != "GET":
        return HttpError(status=400, message=f"Expected the method GET for a WebSocket, got {request.method}.")
    versions = request.headers.get("sec-websocket-version", ())
    if [version.strip() for version in versions] != ["13"]:
        headers = {"sec-websocket-version": "13"}
        return HttpError(status=426, message="Expected Sec-WebSocket-Version: 13.", headers=headers)
    keys = request.headers.get("sec-websocket-key", ())
    if len(keys) != 1 or not _is_nonce(keys[0].strip()):
        return HttpError(status=400, message="Expected one Sec-WebSocket-Key of 16 bytes in base64.")
    return None


def _is_nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _check_query(request: UpgradeRequest, secret: ClientSecret | None, models: ModelCatalogue) -> _Refusal | None:
    intent = request.query.get("intent", [None])[0]
    if intent is not None and intent not in INTENTS:
        return _Refusal(error_of(invalid_value(intent, INTENTS, "intent")), CLOSE_INVALID_REQUEST)
    wanted = "transcription" if intent is not None else None
    if secret is not None and secret.kind is not None:
        if secret.kind == "translation" or (wanted is not None and secret.kind != wanted):
            return _wrong_kind(secret.kind)
        wanted = secret.kind
    return None if wanted == "transcription" else _check_model(request, secret, models)


def _check_model(request: UpgradeRequest, secret: ClientSecret | None, models: ModelCatalogue) -> _Refusal | None:
    asked = _model(request)
    if secret is not None and asked is not None and asked != secret.model:
        try:
            refuse_locked(secret.locked, "model", "model")
        except ClientError as fault:
            return _Refusal(error_of(fault), CLOSE_INVALID_REQUEST)
    model = asked or (None if secret is None else secret.model)
    if model is None or models.serves(model):
        return None
    return _Refusal(model_not_found(model[:100]), CLOSE_MODEL_NOT_FOUND)


def _wrong_kind(kind: str) -> _Refusal:
    message = f"This client secret opens {kind} sessions only."
    return _Refusal(HttpError(status=403, message=message, code="insufficient_permissions"), CLOSE_INVALID_REQUEST)


def _call_not_found(call_id: str) -> HttpError:
    message = f"No call with the id '{call_id[:100]}' was found."
    return HttpError(status=404, message=message, param="call_id", code="call_id_not_found")


_NO_BETA_TRANSLATION: Final = _Refusal(
    HttpError(
        status=400,
        message="Translation sessions are not part of the Realtime Beta API. Use them without the beta selector.",
        code="beta_api_shape_disabled",
    ),
    CLOSE_INVALID_REQUEST,
)


def _refused(request: UpgradeRequest, handshake: Handshake, refusal: _Refusal) -> AcceptAndClose | HttpError:
    return _accept_and_close(handshake, refusal) if _reads_no_status(request) else refusal.error


def _accept_and_close(handshake: Handshake, refusal: _Refusal) -> AcceptAndClose:
    error = refusal.error
    detail = ErrorDetail(type=error.type, code=error.code, message=error.message, param=error.param)
    return AcceptAndClose(handshake, detail, refusal.close_code)
