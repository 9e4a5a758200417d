"""What bot authors import: the class to extend, what it sees, and what it may answer.

A strategy has opinions and nothing else. It never sees keys or the exchange, cannot place an
order, and cannot stop another bot, whatever it does.
"""

from __future__ import annotations

from surefoot.strategy.candles import Candle, Candles
from surefoot.strategy.contract import Strategy
from surefoot.strategy.facts import Fill, PositionView, Tick, View
from surefoot.strategy.signals import UNSET, Add, Enter, Exit, Signal

__all__ = [
    "UNSET",
    "Add",
    "Candle",
    "Candles",
    "Enter",
    "Exit",
    "Fill",
    "PositionView",
    "Signal",
    "Strategy",
    "Tick",
    "View",
]
