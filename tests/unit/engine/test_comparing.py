"""Comparing remembers since when a balance has been short, and believes it only after V."""

from __future__ import annotations

from datetime import timedelta

from tests.builders import BTC, PROTECTED
from tests.unit.engine.desk import Desk, account_spec

from surefoot.core.evidence import FindingKind
from surefoot.core.values import Side
from surefoot.engine.comparing import Comparing


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
