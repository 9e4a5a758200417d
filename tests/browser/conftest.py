"""A browser before the shipped program: skipped, and said so, where there is none."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.browser.operator import Operator
from tests.process.dashboard import Dashboard
from tests.process.nearby import NearbyStage
from tests.process.play import Play

import surefoot

ROOM = "tests/browser/"


def missing() -> str | None:
    """Say what is missing for these tests."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    if shutil.which("chromium") is None:
        return "there is no chromium here"
    if not (Path(surefoot.__file__).parent / "web" / "ui" / "index.html").is_file():
        return "the dashboard is not built; run: make ui"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts real processes, and needs a browser."""
    why = missing()
    for item in items:
        if item.nodeid.startswith(ROOM):
            item.add_marker(pytest.mark.process)
            if why is not None:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest_asyncio.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    stage = NearbyStage(tmp_path)
    try:
        yield Play(stage)
    finally:
        await stage.close()


@pytest_asyncio.fixture
async def dashboard(play: Play) -> AsyncIterator[Dashboard]:
    made = Dashboard(play)
    yield made
    made.end()


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright  # noqa: PLC0415 (it may be missing)

    async with async_playwright() as started:
        browser = await started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def operator(play: Play, dashboard: Dashboard, chromium: Any) -> AsyncIterator[Operator]:
    """Somebody before the page; afterwards nothing has left the origin or been refused by CSP."""
    made = Operator(play, dashboard, chromium)
    yield made
    assert made.outside == []
    assert made.complaints == []
