"""`GET /api/engines`: the engines that serve sessions, stage by stage, each with what a person should know of it."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.app.assets_api import FetchDesk, NoAssets, asset_routes

PATH: Final = "/api/engines"

EngineJob = Literal["vad", "stt", "llm", "tts", "noise", "turn"]


class StageCard(msgspec.Struct, frozen=True, kw_only=True):
    """One stage. `name` is the one in `session.vivavoce.stages`, `note` a sentence on its limits or empty."""

    job: EngineJob
    name: str
    note: str = ""


class PipelineCard(msgspec.Struct, frozen=True, kw_only=True):
    """What serves the sessions of `models`; `name` is the one in `session.vivavoce.engine`."""

    object: Literal["engine"] = "engine"
    name: str
    models: tuple[str, ...]
    is_default: bool
    stages: tuple[StageCard, ...] = ()


class PipelineCards(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that serves sessions, the default first."""

    object: Literal["list"] = "list"
    data: tuple[PipelineCard, ...]


def no_pipelines() -> tuple[PipelineCard, ...]:
    """Return what a server tells that knows of none."""
    return ()


def no_assets() -> FetchDesk:
    """Return the desk of a server that offers nothing."""
    return FetchDesk(NoAssets())


class Backstage(msgspec.Struct, frozen=True):
    """What `wiring` knows of the engines and REST shows: which ones serve, and what may be fetched for them.

    `pipelines` is asked on each request, as engines may come and go.
    """

    pipelines: Callable[[], tuple[PipelineCard, ...]] = no_pipelines
    desk: FetchDesk = msgspec.field(default_factory=no_assets)


def backstage_routes(backstage: Backstage) -> list[Route]:
    """Return the routes of the engines and of the assets for them."""

    async def show(request: Request) -> Response:
        body = msgspec.json.encode(PipelineCards(data=backstage.pipelines()))
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    return [Route(PATH, show, methods=["GET"]), *asset_routes(backstage.desk)]
