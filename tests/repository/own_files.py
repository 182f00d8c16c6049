"""Which files are ours."""

import subprocess
from pathlib import Path

from tests.require import require

ROOT = Path(__file__).resolve().parents[2]


def tracked_files() -> list[str]:
    """Every file that is, or would be, committed, as a path from the root."""
    listing = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    command = ["git", "-c", "safe.directory=*", *listing]  # a checkout may belong to another user
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    require(result.returncode == 0, "a git checkout")
    return [name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()]
