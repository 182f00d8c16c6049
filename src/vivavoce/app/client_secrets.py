"""`POST /realtime/client_secrets`, and the list of secrets with their revocation.

Follows the Realtime API reference, client secrets; the list is ours.
"""

from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.app.authentication import Gatekeeper
from vivavoce.app.bodies import RequestRefused
from vivavoce.app.errors import HttpError
from vivavoce.app.minting import Mint, decoded_body, secret_response
from vivavoce.app.secrets import ClientSecret, SecretKind
from vivavoce.protocol.session_body import decode_asked_secret
from vivavoce.protocol.session_fields import EffectiveSession

CREATE_PATHS: Final = ("/v1/realtime/client_secrets", "/openai/v1/realtime/client_secrets")
LIST_PATH: Final = "/api/client_secrets"


class SecretAnswer(msgspec.Struct, frozen=True):
    """The answer with a fresh secret, the only place where its text is told. `expires_at` is unix seconds."""

    value: str
    expires_at: int
    session: EffectiveSession


class SecretCard(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as the list shows it: never its text. `credential_id` is of the API key that made it."""

    id: str
    object: Literal["client_secret"] = "client_secret"
    created_at: int
    expires_at: int
    type: SecretKind
    model: str | None
    credential_id: str | None
    locked: tuple[str, ...]


class SecretList(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets that open sessions, oldest first: neither expired nor revoked, and their key is neither."""

    object: Literal["list"] = "list"
    data: tuple[SecretCard, ...]


class DeletedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a revocation."""

    id: str
    object: Literal["client_secret"] = "client_secret"
    deleted: bool = True


def secret_routes(mint: Mint, gatekeeper: Gatekeeper) -> list[Route]:
    """Return the routes of client secrets."""
    secrets = gatekeeper.secrets

    async def create(request: Request) -> Response:
        asked = await decoded_body(request, lambda payload: decode_asked_secret(payload, mint.relays))
        minted = mint.mint(request, asked)
        answer = {"value": minted.text, "expires_at": minted.secret.expires_at, "session": minted.session}
        return secret_response(msgspec.json.encode(answer))

    async def show_list(request: Request) -> Response:
        cards = tuple(_card(one) for one in gatekeeper.ring.opening(secrets.list()))
        return secret_response(msgspec.json.encode(SecretList(data=cards)))

    async def revoke(request: Request) -> Response:
        id = request.path_params["id"]
        if not secrets.revoke(id):
            raise RequestRefused(_secret_not_found(id))
        return secret_response(msgspec.json.encode(DeletedSecret(id=id)))

    return [
        *(Route(path, create, methods=["POST"]) for path in CREATE_PATHS),
        Route(LIST_PATH, show_list, methods=["GET"]),
        Route(f"{LIST_PATH}/{{id}}", revoke, methods=["DELETE"]),
    ]


def _card(secret: ClientSecret) -> SecretCard:
    return SecretCard(
        id=secret.id,
        created_at=secret.created_at,
        expires_at=secret.expires_at,
        type=secret.kind or "realtime",
        model=secret.model,
        credential_id=secret.credential_id,
        locked=secret.locked,
    )


def _secret_not_found(id: str) -> HttpError:
    message = f"No client secret with the id '{id[:100]}' was found."
    return HttpError(status=404, message=message, param="id", code="client_secret_not_found")
