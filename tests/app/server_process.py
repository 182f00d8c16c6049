"""A server of echo sessions as a process of its own: `python -m tests.app.server_process [patient] [DRAIN_S]`.

Prints `ready PORT` once it listens, and `stopped` when it has drained.
"""

import asyncio
import sys

from tests.app.serving import MODELS
from tests.transports.echo_host import EchoHost
from vivavoce.app.server import AppSettings, build_app, new_event_loop, serve


async def main() -> None:
    settings = AppSettings(port=0, api_keys=("sk-good",), drain_s=float(sys.argv[2]))
    app = build_app(settings, EchoHost(is_patient=sys.argv[1] == "patient"), MODELS, dict)
    await serve(settings, app, started=lambda host, port: print("ready", port, flush=True))
    print("stopped", flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
