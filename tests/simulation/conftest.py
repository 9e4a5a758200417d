"""What a killed life leaves behind unclosed is no mistake: that is what a kill looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
LEFT_BEHIND = (
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for each in LEFT_BEHIND:
                item.add_marker(pytest.mark.filterwarnings(each))
