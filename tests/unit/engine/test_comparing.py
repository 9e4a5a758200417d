"""Comparing remembers since when a balance has been short, and believes it only after V."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from tests.builders import BTC, PROTECTED
from tests.unit.engine.desk import Desk, account_spec

from surefoot.core.evidence import FindingKind
from surefoot.core.values import Side
from surefoot.engine.belief import believed
from surefoot.engine.comparing import Comparing
from surefoot.journal.port import Reader


async def test_a_shortfall_is_not_believed_before_v(desk: Desk) -> None:
    """A fill of the stop that is not visible yet looks like a loss; booked now, it counts twice."""
    keeper = await desk.keeper(terms=PROTECTED)
    await desk.opened(keeper)
    await desk.works.run()
    comparing = Comparing(
        account_spec(), exchange=desk.exchange, reader=desk.journal, clock=desk.clock
    )
    desk.exchange.trade(Side.SELL, "0.0005")
    found = []
    for seconds in (0, 59, 2):
        desk.clock.elapsed += seconds
        outcome, _ = await comparing.look(desk.books.belief([BTC]), timedelta(0))
        found.append([finding.kind for finding in outcome.findings])
    assert found == [
        [FindingKind.HOLDING_MISSING],
        [FindingKind.HOLDING_MISSING],
        [FindingKind.REDUCED_OUTSIDE],
    ]


class OnlyReader:
    """What may be asked of a journal, and nothing else of it."""

    def __init__(self, journal: Reader) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        if not hasattr(Reader, name):
            raise AttributeError(name)
        return getattr(self._journal, name)


async def test_who_may_only_read_a_journal_can_compare(desk: Desk) -> None:
    """A dry run went through a class that refused to write, and through a cast."""
    await desk.opened(await desk.keeper(terms=PROTECTED))
    await desk.works.run()
    desk.exchange.trade(Side.SELL, "0.0005")
    records = await desk.journal.records()
    reader = cast("Reader", OnlyReader(desk.journal))
    belief = await believed(account_spec(), desk.exchange, reader)
    comparing = Comparing(account_spec(), exchange=desk.exchange, reader=reader, clock=desk.clock)
    outcome, failures = await comparing.look(belief, timedelta(0))
    assert [finding.kind for finding in outcome.findings] == [FindingKind.HOLDING_MISSING]
    assert (failures, await desk.journal.records()) == ((), records)
