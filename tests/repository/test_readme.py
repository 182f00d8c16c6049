"""The client example of the README, run as it stands there but for the port."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.serving import served

ROOT = Path(__file__).resolve().parents[2]


def example() -> str:
    """The Python block of the README."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    return str(code)


@pytest.mark.slow
@pytest.mark.e2e
def test_client_example_gets_its_answer(tmp_path: Path) -> None:
    with served([sys.executable, "-m", "vivavoce"], tmp_path) as address:
        code = example().replace("http://127.0.0.1:8040", address)
        result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert result.returncode == 0, result.stderr
    assert "42" in result.stdout or "forty-two" in result.stdout.lower().replace("forty two", "forty-two")


def test_client_example_is_short() -> None:
    statements = [line for line in example().splitlines() if line.strip()]

    assert len(statements) <= 16
    assert max(map(len, statements)) <= 120
