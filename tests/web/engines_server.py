"""A server whose page offers better engines: `python -m tests.web.engines_server`, in a folder of its own.

The models are kept below that folder. Which package fetches them is for the environment to say; sessions find their
engines not started.
"""

import asyncio
from pathlib import Path

from vivavoce.app.assets_api import FetchDesk
from vivavoce.app.engines_api import Backstage
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import build_app, new_event_loop, serve
from vivavoce.assets.optional import OptionalAssets
from vivavoce.config.load import load
from vivavoce.wiring import app_settings, build_pipelines, build_registry
from vivavoce.wiring.backstage import pipeline_cards


async def main() -> None:
    configuration = load({"server.port": 0}).configuration
    pipelines = build_pipelines(configuration)
    backstage = Backstage(
        pipelines=lambda: pipeline_cards(configuration, pipelines),
        desk=FetchDesk(OptionalAssets(Path.cwd() / "models", model="tiny")),
    )
    settings, registry = app_settings(configuration), build_registry(configuration, pipelines)
    models = ModelCatalogue(tuple(ModelCard(name) for name in configuration.models.table))
    app = build_app(settings, registry, models, pipelines.readiness, backstage=backstage)
    try:
        await serve(settings, app, started=tell)
    finally:
        await pipelines.close()


def tell(host: str, port: int) -> None:
    """Print the line that a ready server prints."""
    print(f"vivavoce ready on http://{host}:{port}", flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
