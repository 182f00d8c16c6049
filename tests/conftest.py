"""What every test starts from: an environment without anyone's keys or settings, and a known order.

Rings run from fast to slow, so the first failure comes early. Hypothesis is derandomized where
`VIVAVOCE_TEST_REQUIRE` or `CI` is set, so that a failure there repeats everywhere.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parent
KEPT_VARIABLES = {"VIVAVOCE_TEST_REQUIRE", "VIVAVOCE_FUZZ_SECONDS", "VIVAVOCE_EVENT_MATRIX"}
RINGS = (
    "repository",
    "testing",
    "audio",
    "config",
    "protocol",
    "dialects",
    "core",
    "assets",
    "store",
    "engines",
    "runtime",
    "observers",
    "transports",
    "app",
    "cli",
    "bench",
    "fuzz",
    "web",
    "relay",
    "e2e",
    "clients",
    "matrix",
)
MARKED_FOLDERS = {"web": "e2e", "e2e": "e2e", "clients": "e2e", "fuzz": "fuzz", "relay": "e2e"}

for variable in [name for name in os.environ if name.startswith(("OPENAI_", "VIVAVOCE_"))]:
    if variable not in KEPT_VARIABLES:
        del os.environ[variable]

# Keys, certificates and traces of the developer's own server are neither read nor added to.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="vivavoce-tests-data-")
atexit.register(shutil.rmtree, os.environ["XDG_DATA_HOME"], ignore_errors=True)

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=3000)
hypothesis.settings.load_profile("ci" if {"CI", "VIVAVOCE_TEST_REQUIRE"} & set(os.environ) else "default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark folders and what hypothesis draws; sort fast before slow, inner layers before outer ones."""
    for item in items:
        if _ring(item) in MARKED_FOLDERS:
            item.add_marker(MARKED_FOLDERS[_ring(item)])
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.properties)
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[bool, bool, bool, int]:
    """The browser comes last: while it is open, its event loop runs in this thread and no other may.

    After it comes only the matrix, which looks at what all others have shown.
    """
    ring = _ring(item)
    is_slow = item.get_closest_marker("slow") is not None
    return ring == "matrix", ring == "web", is_slow, RINGS.index(ring) if ring in RINGS else len(RINGS)


def _ring(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""


@pytest.fixture(scope="session", autouse=True)
def _an_empty_working_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in an empty folder, so that no `.env` of the developer's is read and no file is left in the checkout."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("cwd"))
    yield
    os.chdir(before)


@pytest.fixture(autouse=True)
def _no_settings_leak() -> None:
    """Fail where an earlier test left a setting or a key in the environment."""
    leaked = sorted(n for n in os.environ if n.startswith(("OPENAI_", "VIVAVOCE_")) and n not in KEPT_VARIABLES)
    assert not leaked, f"variables left behind by an earlier test: {leaked}"


@pytest.fixture
def whole_run(request: pytest.FixtureRequest) -> None:
    """Skip where only a part of the tests ran: what they show together is not known then."""
    options = request.config.option
    is_chosen = options.keyword or options.markexpr or getattr(options, "lf", False) or options.deselect
    if is_chosen or request.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        pytest.skip("only a part of the tests ran")
    if request.session.testsfailed:
        pytest.skip("a test that failed has not shown all it could")
