"""What a killed life leaves behind unclosed is no mistake: that is what a kill looks like."""

from __future__ import annotations

import pytest

ROOM = "tests/simulation/"
LEFT_BEHIND = (
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(ROOM):
            for each in LEFT_BEHIND:
                item.add_marker(pytest.mark.filterwarnings(each))
