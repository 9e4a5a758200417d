"""Bundled strategies: four ideas, each in one short file, to read and to copy.

They show the runtime, not a way to get rich.
"""

from __future__ import annotations

from surefoot.strategy.examples.breakout import Breakout
from surefoot.strategy.examples.dip_buyer import DipBuyer
from surefoot.strategy.examples.moving_average import MovingAverageCross
from surefoot.strategy.examples.round_trip import RoundTrip

__all__ = ["Breakout", "DipBuyer", "MovingAverageCross", "RoundTrip"]
