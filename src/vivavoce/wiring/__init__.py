"""The composition root: puts engines, sessions and the server together as the configuration says.

Only this package names concrete engines, stores and transports.
"""

from vivavoce.wiring.engines import Pipelines as Pipelines
from vivavoce.wiring.engines import SharedEngines as SharedEngines
from vivavoce.wiring.engines import asset_cache as asset_cache
from vivavoce.wiring.engines import build_engines as build_engines
from vivavoce.wiring.engines import build_pipelines as build_pipelines
from vivavoce.wiring.engines import engines_of as engines_of
from vivavoce.wiring.engines import narrow_to as narrow_to
from vivavoce.wiring.serving import app_settings as app_settings
from vivavoce.wiring.serving import build_registry as build_registry
from vivavoce.wiring.serving import data_directory as data_directory
from vivavoce.wiring.serving import key_file as key_file
from vivavoce.wiring.serving import run_server as run_server
from vivavoce.wiring.serving import url_of as url_of
from vivavoce.wiring.serving import web_directory as web_directory
from vivavoce.wiring.sharing import first_failure as first_failure
from vivavoce.wiring.sharing import start_engines as start_engines
from vivavoce.wiring.speech import EnginesByModel as EnginesByModel
from vivavoce.wiring.speech import LocalSpeech as LocalSpeech
from vivavoce.wiring.speech import optional_assets as optional_assets
