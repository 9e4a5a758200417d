"""A journal in a file, and a dashboard's server over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.builders import START
from tests.unit.web.desk import (
    URL,
    Desk,
    HandClock,
    closed_life,
    lived,
    open_life,
    recovery,
    status,
)

from surefoot.journal import open_journal
from surefoot.journal.port import Change, Journal
from surefoot.web import wishes


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Make a journal of one closed and one open position, a recovery and two bots."""
    opened = open_journal(URL, tmp_path, at=START)
    await opened.commit(Change(at=START, appends=(status("dip-btc"), recovery())))
    await opened.commit(Change(at=START, appends=(lived(closed_life()),)))
    await opened.commit(Change(at=START, appends=(status("dip-eth"), lived(open_life()))))
    yield opened
    await opened.close()


@pytest.fixture
async def desk(
    tmp_path: Path, journal: Journal, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    monkeypatch.setattr(wishes, "PATIENCE_S", 0.2)  # nobody here carries out what is posted
    made = Desk(tmp_path, clock)
    async with made.serving():
        await made.seen(await journal.records())
        yield made
