"""What the moves of a story choose among, by number."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tests.builders import D

from surefoot.core.exits import ExitPlan, Part
from surefoot.core.order import ReportedStatus

QUANTITIES: Final = (D("0.00160"), D("0.00011"), D("0.00321"))
PRICES: Final = tuple(D(p) for p in ("50000", "50250", "50600", "51500", "52100", "49500", "48900"))
PLANS: Final = (
    ExitPlan(stop_loss=D("0.02"), take_profit=D("0.04"), break_even=D("0.01")),
    ExitPlan(stop_loss=D("0.02"), trailing_stop=D("0.01")),
    ExitPlan(
        stop_loss=D("0.02"),
        take_profit=D("0.04"),
        break_even=D("0.01"),
        trailing_stop=D("0.005"),
    ),
    ExitPlan(),
    ExitPlan(
        stop_loss=D("0.02"),
        take_profit=D("0.04"),
        parts=(Part(at=D("0.004"), fraction=D("0.3")), Part(at=D("0.01"), fraction=D("0.04"))),
    ),
)
WAITS: Final = tuple(timedelta(seconds=s) for s in (0.001, 1, 4, 6, 30, 61, 70))
OVER: Final = (ReportedStatus.CANCELED, ReportedStatus.EXPIRED)
