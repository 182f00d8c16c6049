"""Makes a client secret for a session that the host would open, and tells that session."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from vivavoce.app.authentication import Caller
from vivavoce.app.bodies import RequestRefused, read_json_body
from vivavoce.app.errors import HttpError
from vivavoce.app.models import ModelCatalogue, model_not_found
from vivavoce.app.secrets import ClientSecret, ClientSecrets, SecretOrder, TooManySecrets, safety_identifier
from vivavoce.protocol.session_body import AskedSecret, SecretBody
from vivavoce.runtime.sink import SessionHost, SessionRequest

INLINE_BYTES: Final = 256 * 1024  # larger bodies are decoded in a thread
_T = TypeVar("_T")


class Minted(msgspec.Struct, frozen=True):
    """A fresh secret, its text and the session that it opens."""

    text: str
    secret: ClientSecret
    session: dict[str, Any]  # JSON boundary: an EffectiveSession, with what else an upstream may know


class Mint:
    """Makes secrets for sessions of `host`."""

    def __init__(self, host: SessionHost, secrets: ClientSecrets, models: ModelCatalogue) -> None:
        self._host = host
        self._secrets = secrets
        self._models = models

    def relays(self, model: str | None) -> bool:
        """Return whether sessions of a model go to another server, which judges what is asked for."""
        return self._host.relays(model)

    def mint(self, request: Request, wanted: AskedSecret, temperature: float | None = None) -> Minted:
        """Make what the body asks for.

        Args:
            temperature: for connections of the beta, which tell it.

        Raises:
            ClientError: no such session can be had.
            RequestRefused: the model is not served, or no more secrets are kept.
        """
        body = wanted.body
        asked = _session_request(request, body)
        if asked.kind == "realtime" and not self._models.serves(asked.model):
            raise RequestRefused(model_not_found((asked.model or "")[:100]))
        session = _overlaid(msgspec.to_builtins(self._host.describe(asked)), wanted.relayed or {})
        order = msgspec.structs.replace(
            caller_order(request, body.lifetime_s),
            configuration=body.session,
            relayed=wanted.relayed,
            temperature=temperature,
        )
        return Minted(*kept(self._secrets, order), session)


def kept(secrets: ClientSecrets, order: SecretOrder) -> tuple[str, ClientSecret]:
    """Make a secret; returns its text and what is kept.

    Raises:
        RequestRefused: no more secrets are kept.
    """
    try:
        return secrets.mint(order)
    except TooManySecrets as full:
        raise RequestRefused(too_many_secrets(full)) from full


def caller_order(request: Request, lifetime_s: int) -> SecretOrder:
    """Return the order of a caller for a secret without a configuration."""
    caller: Caller = request.state.caller
    return SecretOrder(
        lifetime_s=lifetime_s,
        credential_id=caller.credential_id,
        safety_identifier=safety_identifier(request.headers.get("openai-safety-identifier")),
    )


def _overlaid(session: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:  # JSON boundary
    """Return a session with what was asked for; `model` and our extension stay as they were described."""
    changes = {name: value for name, value in given.items() if name not in ("model", "vivavoce")}
    if isinstance(audio := changes.get("audio"), dict):
        changes["audio"] = {**session.get("audio", {}), **_parts_of(audio, session.get("audio", {}))}
    return {**session, **changes}


def _parts_of(audio: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:  # JSON boundary
    return {name: {**shown.get(name, {}), **part} if isinstance(part, dict) else part for name, part in audio.items()}


def _session_request(request: Request, body: SecretBody) -> SessionRequest:
    caller: Caller = request.state.caller
    return SessionRequest(
        request_id=request.state.request_id,
        model=None if body.session is None else body.session.model,
        credential_id=caller.credential_id,
        kind="realtime" if body.session is None else body.session.type,
        configuration=body.session,
    )


async def decoded_body(request: Request, decode: Callable[[bytes], _T]) -> _T:
    """Return what `decode` makes of the body; of a large one in a thread.

    Raises:
        RequestRefused: see `read_json_body`.
        Whatever `decode` raises.
    """
    payload = await read_json_body(request)
    if len(payload) > INLINE_BYTES:
        return await asyncio.to_thread(decode, payload)
    return decode(payload)


def secret_response(body: bytes) -> Response:
    """Return an answer that nobody may keep."""
    return Response(body, headers={"cache-control": "no-store"}, media_type="application/json")


def too_many_secrets(full: TooManySecrets) -> HttpError:
    return HttpError(
        status=429,
        message=str(full),
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"retry-after": str(full.retry_after_s)},
    )
