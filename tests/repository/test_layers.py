"""Layers import downwards and pure layers stay pure: the contracts of pyproject.toml, checked by import-linter."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_import_contracts_hold() -> None:
    result = subprocess.run([sys.executable, "-c", LINT, "--no-logo"], cwd=ROOT, capture_output=True, text=True)

    assert result.returncode == 0, result.stdout + result.stderr


def test_a_clock_in_the_core_is_noticed(tmp_path: Path) -> None:
    core = tmp_path / "sample" / "core"
    core.mkdir(parents=True)
    (tmp_path / "sample" / "__init__.py").touch()
    (core / "__init__.py").write_text("import time\n")
    (tmp_path / "contracts.toml").write_text(_contract_about_purity())

    command = [sys.executable, "-c", LINT, "--no-logo", "--no-cache", "--config", "contracts.toml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert result.returncode == 1
    assert "sample.core -> time" in result.stdout


def _contract_about_purity() -> str:
    """The project's own contract on purity, for the package `sample`."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (purity,) = [contract for contract in contracts if contract["type"] == "forbidden"]
    forbidden = ", ".join(f'"{module}"' for module in purity["forbidden_modules"])
    return (
        '[tool.importlinter]\nroot_package = "sample"\ninclude_external_packages = true\n'
        '[[tool.importlinter.contracts]]\nname = "purity"\ntype = "forbidden"\n'
        f'source_modules = ["sample.core"]\nforbidden_modules = [{forbidden}]\n'
    )
