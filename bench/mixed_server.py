"""The embedded detector and recogniser with a scripted answer: endless text, spoken at 1.2 times real time."""

import asyncio
import sys
from typing import Final

import msgspec

from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import Server, build_app, new_event_loop
from vivavoce.config.load import load
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import load_script
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.wiring import Pipelines, SharedEngines, app_settings, build_engines, build_registry

SCRIPT: Final = """
[otherwise]
say = ["One more sentence is being said here. "]
is_endless = true
[voice]
pace = 1.2
"""


async def _serve() -> None:
    configuration = load({"server.port": 0}, environment={}).configuration
    script = load_script(SCRIPT)
    embedded = build_engines("embedded", configuration)
    mixed = msgspec.structs.replace(
        embedded, generator=ScriptedGenerator(script), synthesizer=ScriptedSynthesizer(script)
    )
    pipelines = Pipelines({"embedded": mixed}, "embedded", SharedEngines())
    await pipelines.start_default()
    catalogue = ModelCatalogue((ModelCard("vivavoce-local"),), False)
    app = build_app(
        app_settings(configuration), build_registry(configuration, pipelines), catalogue, pipelines.readiness
    )
    try:
        await Server(app_settings(configuration), app).run_until_stopped(
            lambda host, port: print(f"vivavoce ready on http://{host}:{port}", flush=True)
        )
    finally:
        await pipelines.close()


def main() -> int:
    """Serve until SIGTERM."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
