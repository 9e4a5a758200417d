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
# A resting stop follows in steps of a fifth of this; prices that nobody saw are about so far off.
_STEP: Final = Decimal("0.01")
_ABOUT: Final = Decimal("0.0005")
_STOPS: Final = frozenset({"stop-loss", "break-even stop", "trailing stop"})
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
        # The lowest and the highest price since something of a holding was bought.
        self._range: dict[str, tuple[Decimal, Decimal]] = {}
        self._exchange.listen(self._on_execution)
        world.watchers.append(self._on_price)

    def _on_execution(self, execution: str, order: Any, trade: Any) -> None:
        known = self._judge.orders.get(order.client_order_id)
        if known is None:
            return
        if execution == "TRADE" and order.side == "BUY":
            self._bought[known.position] += trade.quantity
            self._paid[known.position] += trade.quantity * trade.price
            self._prices.setdefault(known.position, []).append(trade.price)
            self._stretch(known.position, trade.price)
            self._stretch(known.position, self._judge.price(order.symbol))
        elif execution == "NEW" and order.side == "SELL":
            holding = self._judge.holdings[known.position]
            if self._is_judged(holding):
                self._judge_sale(order, holding)

    def _on_price(self, symbol: str, price: Decimal) -> None:
        for name in self._range:
            holding = self._judge.holdings.get(name)  # None: it is lost, by another name
            if holding is not None and holding.symbol == symbol:
                self._stretch(name, price)

    def _stretch(self, name: str, price: Decimal) -> None:
        lowest, highest = self._range.get(name, (price, price))
        self._range[name] = (min(lowest, price), max(highest, price))

    def _judge_sale(self, order: Any, holding: Holding) -> None:
        if order.type == "STOP_LOSS":
            self._judge_stop(order, holding)
            return
        rows = self._judge.rows(
            "SELECT data ->> '$.exit_wish.level' FROM positions WHERE position_id = ?",
            holding.name,
        )
        lowest, reached = self._range[holding.name][0], self._highest_stop(holding)
        if rows and rows[0][0] in _STOPS and lowest > reached * (ONE + _ABOUT):
            text = f"{holding.name}: never under {lowest}, to be sold at {reached} at the most"
            self._judge.blame("sold at a stop that was not reached", text)

    def _highest_stop(self, holding: Holding) -> Decimal:
        """Return the highest stop that the configuration allows, whatever is known of the fills."""
        bot, prices = self._bots[holding.bot], self._prices[holding.name]
        highest = self._range[holding.name][1] * (ONE + _ABOUT)
        even, trail = _part(bot.break_even), _part(bot.trailing_stop)
        stop = max(prices) * (ONE - _part(bot.stop_loss))
        if even and highest >= min(prices) * (ONE + even):
            stop = max(stop, *prices)
        if trail and highest > min(prices):
            stop = max(stop, highest * (ONE - trail))
        return stop

    def _judge_stop(self, order: Any, holding: Holding) -> None:
        """Judge that a stop is where the configuration puts it, whatever is known of the fills."""
        bot, prices = self._bots[holding.bot], self._prices[holding.name]
        tick = self._exchange.rules[holding.symbol].tick
        text = f"{holding.name}: {order.stop_price}, bought at {min(prices)} to {max(prices)}"
        if order.stop_price < min(prices) * (ONE - _part(bot.stop_loss)) - 2 * tick:
            self._judge.blame("a stop rests too low", text)
        if order.stop_price > self._highest_stop(holding) + 2 * tick:
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
        if self._lags(holding, stop):
            return {"a stop was not moved": BELOW_S}
        target = _part(bot.take_profit)
        if target and not bot.parts and price > entry * (ONE + target) * (ONE + _BEYOND):
            return {"a gain was not taken": ABOVE_S}
        return {}

    def _lags(self, holding: Holding, stop: Decimal) -> bool:
        """Tell whether all that would sell it are stops that should have been moved by now."""
        mine = []
        for order in self._judge.live():
            known = self._judge.orders.get(order.client_order_id)
            if known is not None and known.position == holding.name:
                mine.append(order)
        return bool(mine) and all(
            order.type == "STOP_LOSS" and order.stop_price < stop * (ONE - _STEP) for order in mine
        )

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
