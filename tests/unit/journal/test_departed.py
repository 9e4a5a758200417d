"""Orders that have left their position: the journal tells of them like of any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import START, D, Life, fill, report
from tests.memory_journal import MemoryJournal

from surefoot.cli.export import _orders
from surefoot.core.account_records import BotStatusChanged
from surefoot.core.signals import ExitSignal
from surefoot.journal.port import Append, Change, Journal, position_stream
from surefoot.journal.sqlite import open_sqlite
from surefoot.journal.status import read_status


def lived() -> Life:
    """Return a position that had three exits, of which two sold a part and have left."""
    life = Life()
    life.opened()
    for trade in ("2", "3"):
        life.tell(ExitSignal(limit=D(60000)))
        out = life.order
        life.tell(report(out, "CANCELED", "0.0005"), fill(out, "60000", "0.0005", trade=trade))
    life.tell(ExitSignal())
    assert len(life.orders) > len(life.position.orders)
    return life


async def kept(journal: Journal, life: Life) -> None:
    position = life.position
    status = BotStatusChanged(at=START, bot=position.bot, status="RUNNING", by="ann")
    appends = (
        Append(
            stream=position_stream(position.position_id),
            expected=0,
            records=tuple(life.records),
            position=position,
            left=tuple(life.orders.values()),
        ),
        Append(stream=f"bot/{position.bot}", expected=0, records=(status,)),
    )
    await journal.commit(Change(at=START, appends=appends))


@pytest.mark.parametrize("where", ["memory", "disk"])
async def test_status_and_export_tell_of_every_order(tmp_path: Path, where: str) -> None:
    """Catches a document that forgets what a position had: its orders would not add up."""
    journal: Journal = (
        MemoryJournal() if where == "memory" else open_sqlite(tmp_path / "j", at=START)
    )
    life = lived()
    await kept(journal, life)
    names = list(life.orders)
    (bot,) = (await read_status(journal, now=START)).bots
    assert bot.position is not None
    assert [order.client_order_id for order in bot.position.orders] == names
    assert [order.filled for order in bot.position.orders][:3] == ["0.0016", "0.0005", "0.0005"]
    assert [row["client_order_id"] async for row in _orders(journal)] == names
    await journal.close()
