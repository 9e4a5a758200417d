"""How the program acts, seen from the exchange: what it may do to a stop, to a gain, to a limit.

The judge knows how things stand; this knows what was done, order by order. Where older files were
put back, or an operator spoke of a position, nothing of it is judged.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any, Final

from tests.simulation.judge import DUST_WORTH, ZERO, Holding, Judge
from tests.simulation.plan import Plan
from tests.simulation.weather import Weather
from tests.simulation.world import World

# A stop that is taken away has its successor in the same moment; so much later it has none.
_MOMENT_S: Final = 0.001
# A price that no stream tells of is asked for; by then what was below its stop is sold.
BELOW_S: Final = 120.0
# So much below it, the price was meant.
_BELOW: Final = Decimal("0.997")
# What was under way when something went wrong has come to its end.
_WHILE_S: Final = 20.0
# Trouble beside which prices and answers arrive, sooner or later.
_CALM: Final = frozenset({"jump", "still", "partial", "unmet", "graceful", "clock"})
# One entry more than a minute may have is on its way since the one before.
_MINUTE_S: Final = 59.0
# What is counted here and there differs by so much: prices move meanwhile, and dust is left.
_ABOUT: Final = Decimal(5)
_UNTIMELY: Final = (
    "SELECT count(*) FROM records WHERE kind = 'order-refused' AND data LIKE '%-1021%'"
)
# A stop is taken away no sooner for a limit that nobody met.
_APART_S: Final = 4.0
# Who was paused withdraws what rests within so long.
_WITHDRAWN_S: Final = 60.0
# Nothing was answered for so long: then it does not say one of these.
_SILENT_S: Final = 90.0
_WELL: Final = frozenset({"ok", "degraded"})


class Conduct:
    """Listens to the exchange, and looks again and again."""

    def __init__(self, judge: Judge, world: World, plan: Plan, weather: Weather) -> None:
        self._judge = judge
        self._world = world
        self._plan = plan
        self._weather = weather
        self._exchange = world.simulator.exchange
        # The highest trigger of a stop, position by position.
        self._highest: dict[str, Decimal] = {}
        # Stops that the program has just cancelled: when, and what they protected.
        self._taken_away: dict[str, tuple[float, str]] = {}
        self._below_since: dict[str, float] = {}
        self._resting_since: dict[str, float] = {}
        self._entries: defaultdict[str, list[float]] = defaultdict(list)
        # Of each holding: what it cost and what it brought.
        self._cost: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._out_since: float | None = None
        self._outages: set[int] = set()
        self._tries: dict[str, Any] = {}
        self._untimely = 0
        self._exchange.listen(self._on_execution)

    def _on_execution(self, execution: str, order: Any, trade: Any) -> None:
        known = self._judge.orders.get(order.client_order_id)
        if known is None:
            return
        holding = self._judge.holdings[known.position]
        if execution == "TRADE":  # whatever is judged of a holding, what it cost is known
            worth = trade.quantity * trade.price
            self._cost[holding.name] += worth if order.side == "BUY" else -worth
        if holding.declared or not self._judge.files_are_whole:
            return
        match execution:
            case "TRADE" if known.role == "exit":
                self._judge_gain(order, trade, holding)
                self._judge_rest(holding)
            case "NEW" if known.role == "entry":
                self._judge_rate(holding)
                self._judge_day(holding)
            case "NEW":
                self._on_sale(order, holding)
            case "CANCELED" if order.type == "STOP_LOSS":
                self._on_cancelled_stop(order, holding)

    def _on_sale(self, order: Any, holding: Holding) -> None:
        self._taken_away.pop(holding.name, None)
        if order.type == "STOP_LOSS":
            self._judge_step(order, holding)
        elif order.at_once:
            self._judge_try(order, holding)

    def _judge_try(self, order: Any, holding: Holding) -> None:
        """Judge that a stop is not taken away for a limit again where nobody met it just now."""
        before = self._tries.get(holding.name)
        self._tries[holding.name] = order
        alone = set(self._plan.kinds) == {"unmet"}
        if before is None or before.executed or not (alone or self._is_fair()):
            return
        apart = (order.created_ms - before.created_ms) / 1000
        if apart < _APART_S:
            text = f"{holding.name}: {apart} s after {before.client_order_id}"
            self._judge.blame("a stop made way again and again", text)

    def _on_cancelled_stop(self, order: Any, holding: Holding) -> None:
        whole = order.left <= holding.held and not order.executed
        if order.cancel_client_id != "outside_cancel" and whole:
            self._taken_away[holding.name] = (self._world.now, order.client_order_id)

    # Stops ---------------------------------------------------------------------------------------

    def _judge_step(self, order: Any, holding: Holding) -> None:
        highest = self._highest.get(holding.name, ZERO)
        if order.stop_price < highest:
            self._judge.blame("a stop gave way", f"{holding.name}: {order.stop_price} < {highest}")
        self._highest[holding.name] = max(highest, order.stop_price)

    def _look_at_stops(self) -> None:
        """Judge that no stop was taken away before something took its place, and for nothing."""
        for name, (at, order) in list(self._taken_away.items()):
            if self._world.now <= at + _MOMENT_S:
                continue
            del self._taken_away[name]
            holding = self._judge.holdings.get(name)
            calm = self._is_calm("crash", "latency") or self._is_fair()
            if holding is None or not calm or not self._replaces(holding):
                continue
            if self._judge.worth(holding) > DUST_WORTH and self._wish(name) is None:
                self._judge.blame("a stop was taken away", f"{name}: {order} at {at:.3f} s")

    def _replaces(self, holding: Holding) -> bool:
        return bool(self._exchange.rules[holding.symbol].replaces)

    def _wish(self, position: str) -> Any:
        rows = self._judge.rows("SELECT data FROM positions WHERE position_id = ?", position)
        return json.loads(rows[0][0]).get("exit_wish") if rows else None

    def _look_at_times(self) -> None:
        """Judge that no order comes too late because the machine's clock was stepped."""
        ((times,),) = self._judge.rows(_UNTIMELY) or [(0,)]
        if times > self._untimely and (self._is_calm() or self._is_fair()):
            self._judge.blame("an order was refused for its time", "")
        self._untimely = times

    # Levels --------------------------------------------------------------------------------------

    def _look_at_levels(self) -> None:
        """Judge that what fell below its stop is sold, wherever the stop is kept."""
        up_since = self._world.up_since
        if up_since is None:
            return
        rows = self._judge.rows(
            "SELECT position_id, stop FROM positions WHERE state = 'OPEN' AND stop IS NOT NULL"
        )
        below = {}
        for name, stop in rows:
            holding = self._judge.holdings.get(name)
            if holding is None or self._judge.worth(holding) <= DUST_WORTH:
                continue
            if self._exchange.quotes[holding.symbol].last < Decimal(stop) * _BELOW:
                below[name] = max(self._below_since.get(name, self._world.now), up_since)
        self._below_since = below
        calm = self._is_calm("crash")
        for name, since in below.items():
            lasts_s = self._world.now - since if calm else self._weather.lasts(since)
            if lasts_s > BELOW_S and (calm or self._is_to_be_sold(name)):
                self._judge.blame("held on to below its stop", f"{name} since {since:.0f} s")

    def _is_to_be_sold(self, position: str) -> bool:
        """Tell whether nobody has been asked about it, nor spoken of it."""
        holding = self._judge.holdings[position]
        excused = holding.declared or not self._judge.files_are_whole
        return not excused and position not in self._judge.alarmed()

    def _is_calm(self, *besides: str) -> bool:
        """Tell whether nothing ever goes wrong in this world that could be an excuse."""
        return set(self._plan.kinds) <= _CALM.union(besides)

    def _is_fair(self) -> bool:
        """Tell whether nothing has gone wrong for a while."""
        return self._world.now - self._weather.fair_since > _WHILE_S

    def _judge_gain(self, order: Any, trade: Any, holding: Holding) -> None:
        """Judge that a gain is sold at a limit, where the stop can be replaced by one."""
        wish = self._wish(holding.name)
        if wish and str(wish.get("level", "")).startswith("take-profit"):
            level = self._level(holding.name)
            if order.type == "MARKET" and self._replaces(holding) and trade.price < level:
                text = f"{holding.name}: {order.client_order_id} at {trade.price}, wanted {level}"
                self._judge.blame("a gain was taken for less", text)

    def _judge_rest(self, holding: Holding) -> None:
        """Judge that an exit leaves what was to stay."""
        keep = Decimal((self._wish(holding.name) or {}).get("keep", 0))
        if (keep - holding.held) * self._judge.price(holding.symbol) > DUST_WORTH:
            text = f"{holding.name}: {holding.held} left of {keep}"
            self._judge.blame("what was to stay was sold", text)

    def _level(self, position: str) -> Decimal:
        rows = self._judge.rows("SELECT take_profit FROM positions WHERE position_id = ?", position)
        return Decimal(rows[0][0] or 0) if rows else ZERO

    # Limits --------------------------------------------------------------------------------------

    def _judge_rate(self, holding: Holding) -> None:
        now, entries = self._world.now, self._entries[holding.bot]
        entries.append(now)
        recent = [at for at in entries if now - at < _MINUTE_S]
        self._entries[holding.bot] = recent
        if len(recent) > self._plan.orders_per_minute + 1:
            self._judge.blame("more orders than a minute may have", f"{holding.bot}: {len(recent)}")

    def _judge_day(self, holding: Holding) -> None:
        """Judge that a day that has lost what it may begins nothing more; fees are not counted."""
        most = self._plan.daily_loss
        if most is None:
            return
        lost = ZERO
        for each in self._judge.holdings.values():
            if each is not holding:
                now = self._cost[each.name] - self._judge.worth(each)
                lost += now if each.held <= ZERO or now > ZERO else ZERO
        if lost > Decimal(repr(most)) + _ABOUT:
            self._judge.blame("entered after a day's loss", f"{holding.name}: {lost} of {most}")

    # Words ---------------------------------------------------------------------------------------

    def _look_at_the_paused(self) -> None:
        """Judge that what rests of a bot that was paused is withdrawn."""
        if self._world.up_since is None:
            self._resting_since.clear()
            return
        calm = self._is_calm("operator")
        said = {
            stream.partition("/")[2]: json.loads(data)["status"]
            for stream, data in self._judge.rows(
                "SELECT stream, data FROM records WHERE kind = 'bot-status-changed' "
                "ORDER BY sequence"
            )
        }
        resting = {}
        for order in self._exchange.standing:
            known = self._judge.orders.get(order.client_order_id)
            if known and known.role == "entry" and said.get(known.bot) == "PAUSED":
                name = order.client_order_id
                resting[name] = self._resting_since.get(name, self._world.now)
        self._resting_since = resting
        for name, since in resting.items():
            lasts_s = self._world.now - since if calm else self._weather.lasts(since)
            if lasts_s > _WITHDRAWN_S:
                self._judge.blame("an entry of a paused bot rests", name)

    def _look_at_health(self) -> None:
        """Judge that nobody says that the exchange answers while nothing is answered."""
        faults = self._world.simulator.armory.faults
        before = self._outages
        self._outages = {each for each, fault in faults.items() if fault.name == "outage"}
        if not self._outages or self._world.up_since is None:
            self._out_since = None
            return
        # In the moment between one that ends and the next it may be heard again.
        if self._out_since is None or before.isdisjoint(self._outages):
            self._out_since = self._world.now
        since = max(self._out_since, self._world.up_since)
        rows = self._judge.rows(
            "SELECT data FROM records WHERE kind = 'health-changed' ORDER BY sequence DESC LIMIT 1"
        )
        state = json.loads(rows[0][0])["health"]["state"] if rows else None
        if self._world.now - since > _SILENT_S and state in _WELL:
            self._judge.blame("said to be reachable and is not", f"{state} since {since:.0f} s")

    def look(self) -> None:
        """Judge how it stands with what was done."""
        self._look_at_stops()
        self._look_at_times()
        self._look_at_levels()
        self._look_at_the_paused()
        self._look_at_health()
