"""`/api/assets`: better engines whose files are fetched only when a person asks, one at a time.

A fetch belongs to the server: it goes on when the page that asked is closed, and ends with the server.
"""

import asyncio
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.app.bodies import RequestRefused
from vivavoce.app.errors import HttpError
from vivavoce.assets.errors import AssetError
from vivavoce.assets.optional import OptionalAsset, OptionalFetcher, OptionalProgress, OptionalState, Report
from vivavoce.runtime.tasks import Tasks

LIST_PATH: Final = "/api/assets"
FETCH_PATH: Final = "/api/assets/{name}/fetch"


class AssetCard(msgspec.Struct, frozen=True, kw_only=True):
    """An optional asset. `bytes_done` is what is here of `size_bytes`, the size of the download.

    `partial`: a fetch ended early, the next one goes on from there. `reason` is a sentence: why a fetch failed, or
    what is missing for one. `source` is the package that fetches it, with its version.
    """

    object: Literal["asset"] = "asset"
    name: str
    title: str
    licence: str
    source: str
    size_bytes: int
    bytes_done: int
    state: OptionalState
    reason: str


class AssetCards(msgspec.Struct, frozen=True, kw_only=True):
    """The optional assets, in the order in which they are offered."""

    object: Literal["list"] = "list"
    data: tuple[AssetCard, ...]


class NoAssets:
    """What a server has that offers nothing; see OptionalFetcher."""

    def list(self) -> tuple[OptionalAsset, ...]:
        """See OptionalFetcher."""
        return ()

    async def fetch(self, name: str, on_progress: Report | None = None) -> OptionalAsset:
        """See OptionalFetcher."""
        raise AssetError(f"There is no optional asset {name!r}.")


class FetchDesk:
    """Runs at most one fetch, whoever asked for it."""

    def __init__(self, assets: OptionalFetcher) -> None:
        self._assets = assets
        self._running: str | None = None
        self._bytes_done = 0
        self._tasks = Tasks()
        self._began = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_closed = False

    def cards(self) -> tuple[AssetCard, ...]:
        """Return every asset, with the progress of the fetch that runs."""
        return tuple(self._card(asset) for asset in self._assets.list())

    def start(self, name: str) -> AssetCard:
        """Begin a fetch, unless this one runs or the asset is ready; must be called on the loop's thread.

        Raises:
            RequestRefused: there is no such asset, another one is being fetched, or the server goes down.
        """
        asset = self._find(name)
        if self._running == name or asset.state == "ready":
            return self._card(asset)
        if self._running is not None or self._is_closed:
            raise RequestRefused(_busy(self._running))
        self._running, self._bytes_done = name, asset.bytes_done
        self._began.clear()
        self._ended.clear()
        self._tasks.start(self._fetch(name), name=f"fetch {name}")
        return self._card(asset)

    async def cancel(self, name: str) -> AssetCard:
        """End the fetch of this asset if it runs; returns when it has ended.

        Raises:
            RequestRefused: there is no such asset.
        """
        self._find(name)
        if self._running == name:
            await self._end()
        return self._card(self._find(name))

    async def close(self) -> None:
        """End what runs, and begin nothing more."""
        self._is_closed = True
        if self._running is not None:
            await self._end()

    async def _end(self) -> None:
        await self._began.wait()  # a task that is cancelled before its first step tells no end
        self._tasks.cancel()
        await self._ended.wait()

    async def _fetch(self, name: str) -> None:
        self._began.set()
        try:
            await self._assets.fetch(name, self._progressed)
        except AssetError:
            return  # the asset tells its reason
        finally:
            self._running = None
            self._ended.set()

    def _progressed(self, progress: OptionalProgress) -> None:
        self._bytes_done = progress.bytes_done

    def _find(self, name: str) -> OptionalAsset:
        found = next((asset for asset in self._assets.list() if asset.name == name), None)
        if found is None:
            raise RequestRefused(_asset_not_found(name))
        return found

    def _card(self, asset: OptionalAsset) -> AssetCard:
        is_running = asset.name == self._running
        return AssetCard(
            name=asset.name,
            title=asset.title,
            licence=asset.licence,
            source=asset.source,
            size_bytes=asset.size_bytes,
            bytes_done=max(self._bytes_done, asset.bytes_done) if is_running else asset.bytes_done,
            state="fetching" if is_running else asset.state,
            reason="" if is_running else asset.reason,
        )


def asset_routes(desk: FetchDesk) -> list[Route]:
    """Return the routes of the optional assets."""

    async def show_list(request: Request) -> Response:
        return _response(200, AssetCards(data=desk.cards()))

    async def start(request: Request) -> Response:
        return _response(202, desk.start(request.path_params["name"]))

    async def cancel(request: Request) -> Response:
        return _response(200, await desk.cancel(request.path_params["name"]))

    return [
        Route(LIST_PATH, show_list, methods=["GET"]),
        Route(FETCH_PATH, start, methods=["POST"]),
        Route(FETCH_PATH, cancel, methods=["DELETE"]),
    ]


def _response(status: int, body: AssetCard | AssetCards) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def _asset_not_found(name: str) -> HttpError:
    message = f"No optional asset with the name '{name[:100]}' was found."
    return HttpError(status=404, message=message, param="name", code="asset_not_found")


def _busy(running: str | None) -> HttpError:
    what = "The server is shutting down" if running is None else f"The asset '{running}' is being fetched"
    return HttpError(status=409, message=f"{what}; nothing else is fetched meanwhile.", code="fetch_in_progress")
