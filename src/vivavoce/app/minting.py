"""Makes a client secret for a session that the host would open, and tells that session."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from vivavoce.app.authentication import Caller
from vivavoce.app.bodies import RequestRefused, read_json_body
from vivavoce.app.errors import HttpError
from vivavoce.app.models import ModelCatalogue, model_not_found
from vivavoce.app.secrets import ClientSecret, ClientSecrets, SecretOrder, TooManySecrets, safety_identifier
from vivavoce.protocol.session_body import SecretBody
from vivavoce.protocol.session_fields import EffectiveSession
from vivavoce.runtime.sink import SessionHost, SessionRequest

INLINE_BYTES: Final = 256 * 1024  # larger bodies are decoded in a thread
_T = TypeVar("_T")


class Minted(msgspec.Struct, frozen=True):
    """A fresh secret, its text and the session that it opens."""

    text: str
    secret: ClientSecret
    session: EffectiveSession


class Mint:
    """Makes secrets for sessions of `host`."""

    def __init__(self, host: SessionHost, secrets: ClientSecrets, models: ModelCatalogue) -> None:
        self._host = host
        self._secrets = secrets
        self._models = models

    def mint(self, request: Request, body: SecretBody, temperature: float | None = None) -> Minted:
        """Make what the body asks for.

        Args:
            temperature: for connections of the beta, which tell it.

        Raises:
            ClientError: no such session can be had.
            RequestRefused: the model is not served, or no more secrets are kept.
        """
        asked = _session_request(request, body)
        if asked.kind == "realtime" and not self._models.serves(asked.model):
            raise RequestRefused(model_not_found((asked.model or "")[:100]))
        session = self._host.describe(asked)
        order = msgspec.structs.replace(
            caller_order(request, body.lifetime_s), configuration=body.session, temperature=temperature
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
