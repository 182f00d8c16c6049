"""`POST /realtime/translations/client_secrets`: secrets for translation sessions.

Follows the Realtime API reference, translation sessions.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.app.bodies import RequestRefused
from vivavoce.app.errors import HttpError
from vivavoce.app.minting import caller_order, decoded_body, kept, secret_response
from vivavoce.app.secrets import ClientSecrets
from vivavoce.protocol.session_body import DEFAULT_SECRET_S, ExpiresAfter, body_fields, decode_fields
from vivavoce.protocol.translation import Translation, TranslationOrder, merge_translation

PATHS: Final = ("/v1/realtime/translations/client_secrets", "/openai/v1/realtime/translations/client_secrets")


class TranslationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a secret."""

    expires_after: ExpiresAfter | None = None
    session: TranslationOrder

    @property
    def lifetime_s(self) -> int:
        return DEFAULT_SECRET_S if self.expires_after is None else self.expires_after.seconds


class TranslationSecret(msgspec.Struct, frozen=True):
    """The answer with a fresh secret. `expires_at` is unix seconds."""

    value: str
    expires_at: int
    session: Translation


def translation_routes(
    secrets: ClientSecrets, make_id: Callable[[str], str], translates: Callable[[str | None], bool]
) -> list[Route]:
    """Return the routes of translation sessions; `translates` tells whether the engines behind a model name do."""

    async def create(request: Request) -> Response:
        body = await decoded_body(request, decode_translation_body)
        if not translates(body.session.model):
            raise RequestRefused(no_translator(body.session.model))
        order = msgspec.structs.replace(caller_order(request, body.lifetime_s), translation=body.session)
        text, secret = kept(secrets, order)
        session = merge_translation(Translation(id=make_id("sess"), model=body.session.model), body.session.patch)
        return secret_response(msgspec.json.encode(TranslationSecret(text, secret.expires_at, session)))

    return [Route(path, create, methods=["POST"]) for path in PATHS]


def decode_translation_body(payload: bytes) -> TranslationBody:
    """Return the body of a request for a secret.

    Raises:
        ClientError: what is wrong with it.
    """
    return decode_fields(body_fields(payload), TranslationBody)


def no_translator(model: str) -> HttpError:
    """Return the answer of a server without a translating engine."""
    message = f"The model '{model[:100]}' is not available: no translating engine is configured on this server."
    return HttpError(status=404, message=message, param="model", code="model_not_found")
