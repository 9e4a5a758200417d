"""A strategy behind its guard: what the engine knows, in the words that bot authors read."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_args

from surefoot.core import reports
from surefoot.core.position import Position
from surefoot.exchange import port
from surefoot.strategy import Candle, Fill, PositionView, Signal, Strategy, Tick, View
from surefoot.strategy.call import Caller, Event, Hook, Room

# A hook that needs longer than this to have an opinion is taken for stuck.
HOOK_LIMIT_S: Final = 5.0


class Advisor:
    """Asks one strategy, and keeps its memory between the questions."""

    def __init__(
        self, strategy: Strategy, *, name: str, journaled: dict[str, Any], room: Room
    ) -> None:
        candle_at = journaled.get("candle_at")
        self.memory: dict[str, Any] = journaled.get("strategy", {})
        self.candle_at = None if candle_at is None else datetime.fromisoformat(candle_at)
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

    async def on_tick(self, tick: port.Tick, position: Position, now: datetime) -> Signal | None:
        """Ask about a tick."""
        return await self._ask("on_tick", Tick.of(tick), position, now, tick.price)

    async def on_candle(
        self, candle: port.Candle, position: Position, now: datetime, price: Decimal | None
    ) -> Signal | None:
        """Ask about a closed candle."""
        return await self._ask("on_candle", Candle.of(candle), position, now, price)

    async def on_fill(
        self, fill: reports.Fill, position: Position, now: datetime, price: Decimal | None
    ) -> Signal | None:
        """Ask about a booked fill."""
        return await self._ask("on_fill", Fill.of(fill), position, now, price)

    async def _ask(
        self, hook: Hook, event: Event, position: Position, now: datetime, price: Decimal | None
    ) -> Signal | None:
        view = View(
            symbol=position.symbol,
            now=now,
            memory=self.memory,
            position=PositionView.of(position, price),
        )
        advice = await self._caller.consult(hook, event, view, limit_s=HOOK_LIMIT_S)
        self.memory = advice.memory
        return advice.signal

    def close(self) -> None:
        """Ask nothing any more."""
        self._caller.close()
