"""The beta API's routes for secrets: flat session objects in and out.

Such a secret opens sessions of today's API and of the beta alike; the connection tells which.
Follows the beta reference, sessions and transcription sessions.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.app.minting import Mint, decoded_body, secret_response
from vivavoce.dialects.beta_session import Kind, beta_fault, flat_to_ga, ga_to_flat
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.session_body import (
    AskedSecret,
    ExpiresAfter,
    SecretBody,
    body_fields,
    builtins_of,
    decode_fields,
    decode_relayed_session,
    decode_session,
)

PATHS: Final[dict[str, Kind]] = {
    "/v1/realtime/sessions": "realtime",
    "/openai/v1/realtime/sessions": "realtime",
    "/v1/realtime/transcription_sessions": "transcription",
    "/openai/v1/realtime/transcription_sessions": "transcription",
}


class SecretOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`client_secret` of a flat session object."""

    expires_after: ExpiresAfter | None = None


class BetaFrame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flat body without the session's own fields."""

    client_secret: SecretOptions | None = None


class BetaBody(msgspec.Struct, frozen=True):
    """A body in the canonical shape; `temperature` has no place there."""

    canonical: AskedSecret
    temperature: float | None


def legacy_routes(mint: Mint) -> list[Route]:
    """Return the routes of the beta API."""
    return [Route(path, _Creation(mint, kind).answer, methods=["POST"]) for path, kind in PATHS.items()]


class _Creation:
    """The endpoint of one kind of session."""

    def __init__(self, mint: Mint, kind: Kind) -> None:
        self._mint = mint
        self._kind: Kind = kind

    async def answer(self, request: Request) -> Response:
        try:
            body = await decoded_body(request, lambda payload: decode_beta_body(payload, self._kind, self._mint.relays))
            minted = self._mint.mint(request, body.canonical, body.temperature)
        except ClientError as fault:
            raise beta_fault(fault, prefix="") from fault
        flat = ga_to_flat(minted.session, body.temperature)
        secret = {"value": minted.text, "expires_at": minted.secret.expires_at}
        return secret_response(msgspec.json.encode({**flat, "client_secret": secret}))


def decode_beta_body(
    payload: bytes, kind: Kind, relays: Callable[[str | None], bool] = lambda model: False
) -> BetaBody:
    """Return what a flat body asks for; `relays` tells whether sessions of a model go to an upstream.

    Raises:
        ClientError: what is wrong with it; paths inside the session are canonical ones.
    """
    fields = body_fields(payload)
    frame = decode_fields({name: fields.pop(name) for name in ("client_secret",) if name in fields}, BetaFrame)
    flat = builtins_of(fields)
    model = flat.get("model") if kind == "realtime" else None
    is_relayed = relays(model if isinstance(model, str) else None)
    translated = flat_to_ga(flat, kind, keeps_unknown=is_relayed)
    expires_after = None if frame.client_secret is None else frame.client_secret.expires_after
    session = decode_relayed_session(translated.session) if is_relayed else decode_session(translated.session)
    body = SecretBody(expires_after=expires_after, session=session)
    return BetaBody(AskedSecret(body, translated.session if is_relayed else None), translated.temperature)
