"""The class that bot authors extend."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar, TypeAlias

from surefoot.strategy.candles import Candle
from surefoot.strategy.facts import Fill, Tick, View
from surefoot.strategy.parameters import read
from surefoot.strategy.signals import Signal

Answer: TypeAlias = Signal | Awaitable[Signal | None] | None


class Strategy:
    """An opinion about one symbol.

    Annotated class attributes are parameters, set from the bot's `params`. The hooks are called
    one at a time and may be plain or `async`; override those you need and answer `Enter`, `Add`,
    `Exit` or None. Keep what must outlive a restart in `view.memory`, not on `self`. A hook that
    raises, answers nonsense or does not come back stops this bot's entries; its stops stay.

    `timeframe` ("1m", "1h") asks for closed candles; without it `on_candle` is never called.
    `history` is how many of them are in `view.candles` before any hook is called. `timeframes` and
    `symbols` ask for the same many of others, to be read with `view.candles_of`.
    """

    timeframe: str | None = None
    history: int = 0
    timeframes: ClassVar[tuple[str, ...]] = ()
    symbols: ClassVar[tuple[str, ...]] = ()

    def __init__(self, /, **params: object) -> None:
        for name, value in read(type(self), params).items():
            setattr(self, name, value)

    def on_start(self, view: View) -> None:
        """Prepare what is kept on `self`; called once, before any other hook."""

    def on_tick(self, tick: Tick, view: View) -> Answer:
        """Answer a trade."""

    def on_candle(self, candle: Candle, view: View) -> Answer:
        """Answer a closed candle."""

    def on_fill(self, fill: Fill, view: View) -> Answer:
        """Answer a booked fill of one of this bot's orders."""
