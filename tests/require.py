"""Skips that cannot hide: what a test needs and the machine lacks."""

import os

import pytest


def require(condition: object, what: str) -> None:
    """Skip the test, naming `what` is absent, unless `condition` holds.

    `VIVAVOCE_TEST_REQUIRE=all` turns the skip into a failure.
    """
    if condition:
        return
    if os.environ.get("VIVAVOCE_TEST_REQUIRE") == "all":
        pytest.fail(f"needs {what}, which is absent, and VIVAVOCE_TEST_REQUIRE=all allows no skip", pytrace=False)
    pytest.skip(f"needs {what}")
