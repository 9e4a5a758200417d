"""A strategy behind its guard: what the engine knows, in the words that bot authors read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_args

from msgspec import Struct

from surefoot.core import reports
from surefoot.core.position import Position
from surefoot.exchange import port
from surefoot.strategy import Candle, Candles, Fill, PositionView, Signal, Strategy, Tick, View
from surefoot.strategy.call import Caller, Event, Hook, Room

# A hook that needs longer than this to have an opinion is taken for stuck.
HOOK_LIMIT_S: Final = 5.0


class Glance(Struct, frozen=True, kw_only=True):
    """What a strategy is shown beside the event, at one moment."""

    position: Position
    now: datetime
    price: Decimal | None = None
    candles: Candles = Candles()
    open_candle: Candle | None = None
    others: Mapping[tuple[str, str], Candles] = {}


class Advisor:
    """Asks one strategy, and keeps its memory between the questions."""

    def __init__(
        self, strategy: Strategy, *, name: str, journaled: dict[str, Any], room: Room
    ) -> None:
        candle_at = journaled.get("candle_at")
        self.memory: dict[str, Any] = journaled.get("strategy", {})
        self.candle_at = None if candle_at is None else datetime.fromisoformat(candle_at)
        self.note: str | None = None
        self._caller = Caller(strategy, name=name, room=room)
        self._hooks = frozenset(hook for hook in get_args(Hook) if self._caller.listens(hook))

    def to_memory(self, candle_at: datetime | None) -> dict[str, Any]:
        """Return what goes into the journal, so that the next process can go on from it."""
        return {
            "strategy": self.memory,
            "candle_at": None if candle_at is None else candle_at.isoformat(),
        }

    def listens(self, hook: Hook) -> bool:
        """Tell whether the strategy's author wrote this hook."""
        return hook in self._hooks

    async def on_start(self, glance: Glance) -> Signal | None:
        """Let the strategy prepare itself, once."""
        return await self._ask("on_start", None, glance)

    async def on_tick(self, tick: port.Tick, glance: Glance) -> Signal | None:
        """Ask about a tick."""
        return await self._ask("on_tick", Tick.of(tick), glance)

    async def on_candle(self, candle: Candle, glance: Glance) -> Signal | None:
        """Ask about a closed candle."""
        return await self._ask("on_candle", candle, glance)

    async def on_fill(self, fill: reports.Fill, glance: Glance) -> Signal | None:
        """Ask about a booked fill."""
        return await self._ask("on_fill", Fill.of(fill), glance)

    async def _ask(self, hook: Hook, event: Event, glance: Glance) -> Signal | None:
        view = View(
            symbol=glance.position.symbol,
            now=glance.now,
            memory=self.memory,
            position=PositionView.of(glance.position, glance.price),
            candles=glance.candles,
            open_candle=glance.open_candle,
            windows=glance.others,
        )
        advice = await self._caller.consult(hook, event, view, limit_s=HOOK_LIMIT_S)
        self.memory = advice.memory
        self.note = advice.note or self.note
        return advice.signal

    def close(self) -> None:
        """Ask nothing any more."""
        self._caller.close()
