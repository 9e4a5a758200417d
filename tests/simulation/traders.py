"""Strategies for simulation."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from surefoot.strategy import Add, Enter, Exit, Strategy
from surefoot.strategy.facts import Candle, Tick, View
from surefoot.strategy.signals import Signal


class InAndOut(Strategy):
    """Enters once, holds for as long as it is told, and leaves."""

    hold: float = 3600.0

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        if view.position is None:
            return None if view.memory.get("was") else Enter(reason="once")
        if view.position.state == "OPEN" and view.position.opened_at is not None:
            view.memory["was"] = True
            if (tick.at - view.position.opened_at).total_seconds() >= self.hold:
                return Exit(reason="long enough")
        return None


class Shuttle(Strategy):
    """Enters, holds and leaves, again and again; with `away`, by limit orders that rest."""

    hold: float = 3600.0
    pause: float = 1800.0
    away: float = 0.0

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        now = tick.at.timestamp()
        if now < view.memory.get("next", 0.0):
            return None
        view.memory["next"] = now + self.pause
        lasts = self.pause * 0.6 if self.away else None
        if view.position is None:
            return Enter(limit=self._at(tick, -1), time_to_live=lasts, reason="out long enough")
        opened = view.position.opened_at
        if view.position.state == "OPEN" and opened is not None:
            if (tick.at - opened).total_seconds() >= self.hold:
                return Exit(limit=self._at(tick, 1), time_to_live=lasts, reason="in long enough")
            view.memory["next"] = now + 50
        return None

    def _at(self, tick: Tick, side: int) -> str | None:
        return f"{tick.price * (1 + side * self.away):.2f}" if self.away else None


class Resting(Strategy):
    """Enters by limit orders that rest, and leaves at the next candle; all of it by price alone."""

    timeframe = "5m"
    away: float = 0.0003
    # Between two prices of a recording of five minutes: which comes first is not left to luck.
    lasts: float = 350.0

    def on_candle(self, candle: Candle, view: View) -> Signal | None:
        if view.position is None:
            return Enter(limit=f"{candle.close * (1 - self.away):.2f}", time_to_live=self.lasts)
        if view.position.state == "OPEN":
            return Exit(reason="a candle later")
        return None


class Fickle(Strategy):
    """Wants something at random, now and then, whatever is on."""

    eagerness: float = 0.1
    # How likely it holds on to what it has when it would wish something: levels need time.
    stays: float = 0.0
    # Whether it buys more of what is open.
    adds: bool = False
    luck: ClassVar[Random] = Random(0)
    # It wants nothing more: the world is coming to rest.
    calm: ClassVar[bool] = False

    def wish(self, price: float, view: View) -> Signal | None:
        luck = Fickle.luck
        if Fickle.calm or luck.random() > self.eagerness:
            return None
        if view.position is not None and self.stays and luck.random() < self.stays:
            return None
        view.memory["wishes"] = view.memory.get("wishes", 0) + 1
        away = luck.choice((None, None, 0.9995, 0.995, 1.0005, 1.01))
        limit = None if away is None else f"{price * away:.2f}"
        lasts = luck.choice((None, 20, 300))
        if view.position is not None and self.adds and luck.random() < 0.8:
            return Add(limit=limit, time_to_live=lasts if limit else None, reason="more")
        if view.position is None or luck.random() < 0.2:
            return Enter(limit=limit, time_to_live=lasts if limit else None, reason="why not")
        return Exit(limit=limit, time_to_live=lasts if limit else None, reason="enough")


class Impatient(Fickle):
    """Makes up its mind at every price."""

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        return self.wish(tick.price, view)


class Patient(Fickle):
    """Makes up its mind when a candle closes."""

    timeframe = "1h"

    def on_candle(self, candle: Candle, view: View) -> Signal | None:
        return self.wish(candle.close, view)
