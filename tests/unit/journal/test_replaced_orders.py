"""An order that is to be replaced changes with its replacement's records, and so does its row.

Broken on purpose, and red here: a row that follows only the records of its own order. The next
start then refuses the journal, and so does every start after it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import REPLACING, START, D, Life, fill, report

from surefoot.core.exits import ExitPlan
from surefoot.core.reports import PriceSeen, Refusal
from surefoot.journal.port import Append, Change, position_stream
from surefoot.journal.sqlite import SqliteJournal, open_sqlite


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("together", [False, True])
async def test_a_start_accepts_a_stop_that_is_being_replaced(
    tmp_path: Path, *, refused: bool, together: bool
) -> None:
    life = Life(REPLACING)
    entry = life.enter(plan=ExitPlan(stop_loss=D("0.02"), trailing_stop=D("0.01")))
    life.tell(report(entry, "FILLED", entry.quantity), fill(entry, "50000", trade="1"))
    life.tell(report(life.order, "OPEN"))
    path = tmp_path / "journal"
    journal = open_sqlite(path, at=START)
    written = 0 if together else await commit(journal, life, 0)
    life.tell(PriceSeen(price=D(52000)))
    assert life.order.replaces is not None
    written = written if together else await commit(journal, life, written)
    if refused:
        new = life.order.client_order_id
        life.tell(Refusal(client_order_id=new, code="-1013", message="no"))
    await commit(journal, life, written)
    await journal.close()
    again = open_sqlite(path, at=START)
    (found,) = await again.unsettled(START)
    assert found == life.position
    assert await again.verify() > 0
    await again.close()


async def commit(journal: SqliteJournal, life: Life, written: int) -> int:
    append = Append(
        stream=position_stream(life.position.position_id),
        expected=written,
        records=tuple(life.records[written:]),
        position=life.position,
        left=tuple(life.orders.values()),
    )
    await journal.commit(Change(at=START, appends=(append,)))
    return len(life.records)
