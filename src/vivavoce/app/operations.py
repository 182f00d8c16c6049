"""The REST surface as data: every route with what it takes and what it answers. `openapi` makes a document of it."""

from typing import Any, Final, Literal

import msgspec

from vivavoce.app.assets_api import FETCH_PATH as ASSET_FETCH_PATH
from vivavoce.app.assets_api import LIST_PATH as ASSETS_PATH
from vivavoce.app.assets_api import AssetCard, AssetCards
from vivavoce.app.client_secrets import CREATE_PATHS, LIST_PATH, DeletedSecret, SecretAnswer, SecretList
from vivavoce.app.cost_api import COST_PATH, PRICES_PATH, CostCard, PriceCards
from vivavoce.app.engines_api import PATH as ENGINES_PATH
from vivavoce.app.engines_api import PipelineCards
from vivavoce.app.legacy import PATHS as LEGACY_PATHS
from vivavoce.app.local_servers import PATH as LOCAL_SERVERS_PATH
from vivavoce.app.local_servers import LocalServerList
from vivavoce.app.models import ModelCard, ModelList
from vivavoce.app.translations import PATHS as TRANSLATION_PATHS
from vivavoce.app.translations import TranslationBody, TranslationSecret
from vivavoce.protocol.session_body import SecretBody

API_PREFIXES: Final = ("/v1", "/openai/v1")
Method = Literal["get", "post", "delete"]

# Schemas that no struct stands for; `flat_schemas` makes them.
BETA_BODY: Final = {"realtime": "BetaSessionBody", "transcription": "BetaTranscriptionBody"}
BETA_ANSWER: Final = {"realtime": "BetaSession", "transcription": "BetaTranscriptionSession"}


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"]


class Readiness(msgspec.Struct, frozen=True):
    """Whether sessions can be taken, and which engines are up."""

    status: Literal["ready", "starting", "draining"]
    engines: dict[str, bool]


class HttpErrorDetail(msgspec.Struct, frozen=True):
    """What went wrong; `param` names the field of the body or the query."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    """Every answer with a status of 400 or more."""

    error: HttpErrorDetail


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `body` and `answers` hold types, or names of schemas that no type stands for."""

    id: str
    method: Method
    path: str
    summary: str
    answers: dict[int, Any]  # status -> type, name or None for an answer without a body
    body: Any = None
    is_open: bool = False  # needs no key


# What a route of the API may answer besides, and one with a body.
COMMON_ERRORS: Final = (400, 401, 403, 404, 405, 421, 431, 500)
BODY_ERRORS: Final = (408, 413, 415, 429)


def operations() -> list[Operation]:
    """Return the whole REST surface, in the order of the document."""
    return [
        *_model_operations(),
        *_secret_operations(),
        *_beta_operations(),
        *_own_operations(),
        *_engine_operations(),
        *_cost_operations(),
        *_open_operations(),
    ]


def _model_operations() -> list[Operation]:
    return [
        operation
        for index, prefix in enumerate(API_PREFIXES)
        for operation in (
            Operation(
                id=_numbered("listModels", index),
                method="get",
                path=f"{prefix}/models",
                summary="List the models that a session may name.",
                answers={200: ModelList},
            ),
            Operation(
                id=_numbered("retrieveModel", index),
                method="get",
                path=f"{prefix}/models/{{model}}",
                summary="Show one model.",
                answers={200: ModelCard},
            ),
            Operation(
                id=_numbered("openRealtimeSession", index),
                method="get",
                path=f"{prefix}/realtime",
                summary="Open a session: a WebSocket; without an upgrade the answer is 426.",
                answers={426: ErrorBody},
            ),
        )
    ]


def _secret_operations() -> list[Operation]:
    create = [
        Operation(
            id=_numbered("createClientSecret", index),
            method="post",
            path=path,
            summary="Make a client secret for sessions with this configuration.",
            body=SecretBody,
            answers={200: SecretAnswer},
        )
        for index, path in enumerate(CREATE_PATHS)
    ]
    translate = [
        Operation(
            id=_numbered("createTranslationSecret", index),
            method="post",
            path=path,
            summary="Make a client secret for translation sessions.",
            body=TranslationBody,
            answers={200: TranslationSecret},
        )
        for index, path in enumerate(TRANSLATION_PATHS)
    ]
    return [*create, *translate]


def _beta_operations() -> list[Operation]:
    return [
        Operation(
            id=_numbered(f"createBeta{kind.title()}Session", index // len(BETA_BODY)),
            method="post",
            path=path,
            summary=f"Make a client secret for {kind} sessions, in the flat shape of the beta API.",
            body=BETA_BODY[kind],
            answers={200: BETA_ANSWER[kind]},
        )
        for index, (path, kind) in enumerate(sorted(LEGACY_PATHS.items(), reverse=True))
    ]


def _own_operations() -> list[Operation]:
    return [
        Operation(
            id="listClientSecrets",
            method="get",
            path=LIST_PATH,
            summary="List the client secrets that open sessions.",
            answers={200: SecretList},
        ),
        Operation(
            id="revokeClientSecret",
            method="delete",
            path=f"{LIST_PATH}/{{id}}",
            summary="Revoke a client secret; sessions that it opened go on.",
            answers={200: DeletedSecret},
        ),
        Operation(
            id="listLocalServers",
            method="get",
            path=LOCAL_SERVERS_PATH,
            summary="Look for model servers on this machine; what is found is offered, not used.",
            answers={200: LocalServerList},
        ),
    ]


def _engine_operations() -> list[Operation]:
    described: list[tuple[str, Method, str, str, dict[int, Any]]] = [
        ("listEngines", "get", ENGINES_PATH, "List the engines that serve sessions.", {200: PipelineCards}),
        ("listAssets", "get", ASSETS_PATH, "List the assets that may be fetched, with progress.", {200: AssetCards}),
        (
            "fetchAsset",
            "post",
            ASSET_FETCH_PATH,
            "Begin to fetch an asset, unless it is ready or being fetched; one at a time.",
            {202: AssetCard, 409: ErrorBody},
        ),
        ("cancelAssetFetch", "delete", ASSET_FETCH_PATH, "End the fetch of an asset.", {200: AssetCard}),
    ]
    return [
        Operation(id=id, method=method, path=path, summary=summary, answers=answers)
        for id, method, path, summary, answers in described
    ]


def _cost_operations() -> list[Operation]:
    described: list[tuple[str, str, str, Any]] = [
        ("showCost", COST_PATH, "Show what the key of this request has spent today.", CostCard),
        ("listPrices", PRICES_PATH, "List what models cost.", PriceCards),
    ]
    return [
        Operation(id=id, method="get", path=path, summary=summary, answers={200: answer})
        for id, path, summary, answer in described
    ]


def _open_operations() -> list[Operation]:
    described: list[tuple[str, str, str, dict[int, Any]]] = [
        ("showHealth", "/healthz", "Tell that the process answers.", {200: Health}),
        ("showReadiness", "/readyz", "Tell whether sessions can be taken.", {200: Readiness, 503: Readiness}),
        ("showDocument", "/openapi.json", "Return this document.", {200: dict[str, Any]}),
    ]
    return [
        Operation(id=id, method="get", path=path, summary=summary, answers=answers, is_open=True)
        for id, path, summary, answers in described
    ]


def _numbered(id: str, index: int) -> str:
    """Ids are unique; those of the Azure forms end in their own word."""
    return f"{id}Azure" if index else id
