"""Where what was bought has to be sold: by the configuration and the exchange's own prices.

`conduct` asks whether the program honours the levels that it has written down; here it is asked
whether these are the right ones. Of prices only those count that stood for a while in fair weather.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any, Final

from tests.simulation.judge import DUST_WORTH, ZERO, Holding, Judge
from tests.simulation.plan import Bot, Plan
from tests.simulation.weather import Weather
from tests.simulation.world import World

# So far beyond a level the price was meant, and for so long something was to be done about it.
_BEYOND: Final = Decimal("0.003")
BELOW_S: Final = 120.0
ABOVE_S: Final = 180.0
ONE: Final = Decimal(1)
# A price that stands when it is looked at twice in so long was there to be seen.
_STOOD_S: Final = 10.0


class Levels:
    """Listens to what is bought, and compares the market with where it was to be sold."""

    def __init__(self, judge: Judge, world: World, plan: Plan, weather: Weather) -> None:
        self._judge = judge
        self._world = world
        self._weather = weather
        self._exchange = world.simulator.exchange
        self._bots = {bot.name: bot for bot in plan.bots}
        self._bought: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._paid: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        # What was paid for each unit of a holding.
        self._prices: dict[str, list[Decimal]] = {}
        # The highest stop that each holding was to have; a stop never gives way.
        self._stops: dict[str, Decimal] = {}
        # Whose stop has been drawn up already.
        self._drawn: set[str] = set()
        self._last: dict[str, Decimal] = {}
        self._beyond: dict[tuple[str, str], float] = {}
        self._exchange.listen(self._on_execution)

    def _on_execution(self, execution: str, order: Any, trade: Any) -> None:
        known = self._judge.orders.get(order.client_order_id)
        if known is None:
            return
        if execution == "TRADE" and order.side == "BUY":
            self._bought[known.position] += trade.quantity
            self._paid[known.position] += trade.quantity * trade.price
            self._prices.setdefault(known.position, []).append(trade.price)
        elif execution == "NEW" and order.type == "STOP_LOSS":
            self._judge_stop(order, self._judge.holdings[known.position])

    def _judge_stop(self, order: Any, holding: Holding) -> None:
        """Judge that a stop is where the configuration puts it, whatever is known of the fills."""
        bot, prices = self._bots[holding.bot], self._prices.get(holding.name)
        if prices is None or not self._is_judged(holding):
            return
        tick = self._exchange.rules[holding.symbol].tick
        share = ONE - _part(bot.stop_loss)
        text = f"{holding.name}: {order.stop_price}, bought at {min(prices)} to {max(prices)}"
        if order.stop_price < min(prices) * share - 2 * tick:
            self._judge.blame("a stop rests too low", text)
        if bot.trailing_stop != "off":
            return
        highest = max(prices) * (share if bot.break_even == "off" else ONE)
        if order.stop_price > highest + 2 * tick:
            self._judge.blame("a stop rests too high", text)

    def look(self) -> None:
        """Judge that nothing is held beyond where it was to be sold."""
        alarmed: set[str] | None = None
        beyond = {}
        for holding in self._judge.holdings.values():
            if not self._is_judged(holding):
                continue
            if alarmed is None:
                alarmed = self._judge.alarmed()
            if holding.name in alarmed:
                continue
            for what, lasts_s in self._reached(holding).items():
                since = self._beyond.get((holding.name, what), self._world.now)
                beyond[holding.name, what] = since
                if self._weather.lasts(since) > lasts_s:
                    self._judge.blame(what, f"{holding.name} since {since:.0f} s")
        self._beyond = beyond
        self._last = {name: quote.last for name, quote in self._exchange.quotes.items()}

    def _is_judged(self, holding: Holding) -> bool:
        if holding.declared or holding.lost or not self._judge.files_are_whole:
            return False
        if not self._bought[holding.name] or self._judge.was_taken(holding):
            return False
        return self._judge.worth(holding) > DUST_WORTH

    def _reached(self, holding: Holding) -> dict[str, float]:
        """Return what is wrong with a holding if it stays so, and for how long it may."""
        bot, price = self._bots[holding.bot], self._judge.price(holding.symbol)
        entry = self._paid[holding.name] / self._bought[holding.name]
        stop = self._stop(holding.name, bot, entry, self._stood(holding.symbol))
        if price < stop * (ONE - _BEYOND):
            return {"held on to below where its stop was to be": BELOW_S}
        target = _part(bot.take_profit)
        if target and not bot.parts and price > entry * (ONE + target) * (ONE + _BEYOND):
            return {"a gain was not taken": ABOVE_S}
        return {}

    def _stood(self, symbol: str) -> Decimal:
        """Return the price that stood for a while and was there to be seen, or nothing."""
        if self._world.now - self._weather.fair_since < _STOOD_S:
            return ZERO
        return min(self._last.get(symbol, ZERO), self._judge.price(symbol))

    def _stop(self, name: str, bot: Bot, entry: Decimal, stood: Decimal) -> Decimal:
        wanted = [self._stops.get(name, ZERO), entry * (ONE - _part(bot.stop_loss))]
        even, trail = _part(bot.break_even), _part(bot.trailing_stop)
        if even and stood >= entry * (ONE + even):
            wanted.append(entry)
            self._drawn.add(name)
        if trail and stood > entry and (not even or name in self._drawn):
            wanted.append(stood * (ONE - trail))
        self._stops[name] = max(wanted)
        return self._stops[name]


def _part(text: str) -> Decimal:
    """Return a share as the configuration writes it; nothing if it is off."""
    return ZERO if text == "off" else Decimal(text.rstrip("%")) / 100
