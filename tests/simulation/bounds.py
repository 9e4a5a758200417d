"""What a bot may have at the exchange: what it is configured for, and only while it runs."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tests.simulation.judge import DUST_WORTH, ZERO, Holding, Judge
from tests.simulation.plan import Plan
from tests.simulation.weather import Weather
from tests.simulation.world import BEGINNING, World

# An order at the market was sized by an older price, a limit by itself.
_AT_MARKET: Final = Decimal("0.12")
_AT_LIMIT: Final = Decimal("0.001")
# So much of a size may be lost to the steps of quantities.
_STEPS_WORTH: Final = Decimal(3)
# The most that a position may be worth, in sizes of one entry (`Plan.configuration`).
_SIZES: Final = 5
# What is offered twice is withdrawn within so long, and what rests too long.
_WITHDRAWN_S: Final = 120.0
_OUTLIVED_S: Final = 30.0
# The last word of one of these kinds before an order was written down.
_LAST: Final = (
    "SELECT kind, data ->> 'status' FROM records "
    "WHERE stream = ? AND kind IN (SELECT value FROM json_each(?)) "
    "AND sequence < (SELECT max(sequence) FROM records WHERE kind = 'order-intended' "
    "AND data ->> '$.order.client_order_id' = ?) ORDER BY sequence DESC LIMIT 1"
)
_STATUS: Final = '["bot-status-changed"]'
_FREEZE: Final = '["position-frozen", "position-thawed", "position-resolved"]'
# What is refused is tried again ever later: so often in a minute it never is.
_TRIES: Final = 25
_REFUSED: Final = (
    "SELECT stream, count(*) FROM records WHERE kind = 'order-refused' AND at > ? GROUP BY stream"
)


class Bounds:
    """Listens to what bots send, and looks at what rests of it."""

    def __init__(self, judge: Judge, world: World, plan: Plan, weather: Weather) -> None:
        self._judge = judge
        self._world = world
        self._weather = weather
        self._exchange = world.simulator.exchange
        self._sizes = {bot.name: Decimal(bot.notional) for bot in plan.bots}
        self._since: dict[str, float] = {}
        self._paid: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._exchange.listen(self._on_execution)

    def _on_execution(self, execution: str, order: Any, trade: Any) -> None:
        known = self._judge.orders.get(order.client_order_id)
        if known is None or known.role != "entry":
            return
        holding = self._judge.holdings[known.position]
        if execution == "NEW":
            self._judge_status(order, holding)
            self._judge_freeze(order, holding)
            self._judge_size(order, holding)
        elif execution == "TRADE":
            self._paid[holding.name] += trade.quantity * trade.price

    def _judge_status(self, order: Any, holding: Holding) -> None:
        """Judge that a bot was running when its entry was written down."""
        rows = self._judge.rows(_LAST, f"bot/{holding.bot}", _STATUS, order.client_order_id)
        if rows and rows[0][1] != "RUNNING":
            text = f"{holding.name}: {order.client_order_id}, {rows[0][1]}"
            self._judge.blame("entered although it was not running", text)

    def _judge_freeze(self, order: Any, holding: Holding) -> None:
        """Judge that no risk was added to what somebody is asked about."""
        stream = f"position/{holding.name}"
        rows = self._judge.rows(_LAST, stream, _FREEZE, order.client_order_id)
        if rows and rows[0][0] == "position-frozen":
            self._judge.blame("entered although it was frozen", f"{holding.name}: {order.name}")

    def _judge_size(self, order: Any, holding: Holding) -> None:
        size, limit = self._sizes[holding.bot], order.price
        slack = _AT_LIMIT if limit else _AT_MARKET
        worth = order.quantity * (limit or self._judge.price(order.symbol))
        if not size * (1 - slack) - _STEPS_WORTH <= worth <= size * (1 + slack):
            self._judge.blame("an entry of another size", f"{holding.name}: {worth} for {size}")
        on = self._paid[holding.name] * self._share_left(holding) + worth
        whole = self._judge.files_are_whole  # else a name stands for two positions
        if whole and on > _SIZES * size * (1 + _AT_MARKET):
            self._judge.blame("more is on than may be", f"{holding.name}: {on} of {_SIZES * size}")

    def _share_left(self, holding: Holding) -> Decimal:
        return max(holding.held, ZERO) / holding.bought if holding.bought else ZERO

    def look(self) -> None:
        """Judge what is offered for sale, what rests, and what is tried again and again."""
        since = (self._now() - timedelta(minutes=1)).isoformat()
        for stream, times in self._judge.rows(_REFUSED, since):
            if times > _TRIES:
                self._judge.blame("refused again and again", f"{stream}: {times} times a minute")
        found = {f"offered {name}": text for name, text in self._offered_twice().items()}
        outlived = outlived_entries(self._judge, self._now())
        found |= {f"resting {name}": text for name, text in outlived.items()}
        self._since = {key: self._since.get(key, self._world.now) for key in found}
        for key, text in found.items():
            kind, within_s = "more is offered than is held", _WITHDRAWN_S
            if key.startswith("resting"):
                kind, within_s = "an entry rests longer than it was to", _OUTLIVED_S
            if self._weather.lasts(self._since[key]) > within_s:
                self._judge.blame(kind, text)

    def _offered_twice(self) -> dict[str, str]:
        """Return the holdings of which more is for sale than there is."""
        offered: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        for order in self._judge.live():
            known = self._judge.orders.get(order.client_order_id)
            if known is not None and order.side == "SELL":
                offered[known.position] += order.left
        found = {}
        for name, quantity in offered.items():
            holding = self._judge.holdings[name]
            if holding.declared or holding.lost or self._judge.was_taken(holding):
                continue
            if (quantity - holding.held) * self._judge.price(holding.symbol) > DUST_WORTH:
                found[name] = f"{name}: {quantity} of {holding.held}"
        return found

    def _now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._world.now)


def outlived_entries(judge: Judge, now: datetime) -> dict[str, str]:
    """Return the entries that rest although their time is over."""
    found = {}
    for order in judge.live():
        known = judge.orders.get(order.client_order_id)
        if known is None or known.role != "entry" or judge.holdings[known.position].declared:
            continue
        query = "SELECT data ->> 'expires_at' FROM orders WHERE client_order_id = ?"
        ((until,),) = judge.rows(query, order.client_order_id) or [(None,)]
        if until is not None and datetime.fromisoformat(until) < now:
            found[order.client_order_id] = f"{known.position}: until {until}"
    return found
