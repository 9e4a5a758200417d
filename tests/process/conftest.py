"""A stage for each test: a directory, the simulated exchange, and the shipped program."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.process.forked import FORKER
from tests.process.nearby import NearbyStage
from tests.process.play import Play

ROOM = "tests/process/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts real processes."""
    for item in items:
        if item.nodeid.startswith(ROOM):
            item.add_marker(pytest.mark.process)


def pytest_sessionfinish() -> None:
    FORKER.end()


@pytest_asyncio.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    stage = NearbyStage(tmp_path)
    try:
        yield Play(stage)
    finally:
        await stage.close()
