"""How everything has to stand once it has come to rest, long after the last fault has healed.

The books are the exchange's: every trade is booked as it was, every order is believed to be what it
is, what is held is covered, and no alarm is left of what is over.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tests.simulation import said
from tests.simulation.bounds import outlived_entries
from tests.simulation.judge import DUST_WORTH, OVER, ZERO, Harm, Judge

_FILLS: Final = "SELECT client_order_id, trade_id, side, price, quantity, fee, fee_asset FROM fills"
# Sums of many digits are written with so many less.
_CENT: Final = Decimal("0.0001")
# Where there is more to a position than its own orders, what they brought is not all of it.
_BESIDE: Final = ("carried", "left", "outside", "written_off", "missing")
# What somebody wanted closed; the wish lapses where older files are put back.
_TO_CLOSE: Final = (
    "SELECT DISTINCT substr(stream, 10) FROM records AS wished WHERE kind = 'exit-wished' "
    "AND data ->> '$.wish.by' = 'somebody' AND NOT EXISTS (SELECT 1 FROM records AS later "
    "WHERE later.stream = wished.stream AND later.kind = 'position-set-back' "
    "AND later.sequence > wished.sequence)"
)
# What ends by the time is withdrawn within so long.
_LATELY: Final = timedelta(minutes=1)
_WORKING: Final = frozenset({"NEW", "PARTIALLY_FILLED"})

_NOTHING: Final[tuple[Any, ...]] = (None, "0", 0, [], {}, {"quantity": "0", "cost": "0"})


class Rest:
    """Compares the journal with the exchange when nothing moves any more."""

    def __init__(self, judge: Judge, now: datetime, *, innocent: bool) -> None:
        self._judge = judge
        self._now = now
        self._exchange = judge.exchange
        self._innocent = innocent

    def wrong(self) -> list[Harm]:
        """Return what is wrong if everything has come to rest by now."""
        before, self._judge.harms = self._judge.harms, []
        self._look()
        wrong, self._judge.harms = self._judge.harms, before
        return wrong

    def _look(self) -> None:
        states, reviewed = self._judge.states(), said.reviewed(self._judge.rows)
        alarmed = self._judge.alarmed()
        # Where nothing is to be alarmed about an alarm excuses nothing: the harm itself is named.
        asked: set[str] = set() if self._innocent else alarmed
        self._look_at_fills(asked)
        self._look_at_books(states, asked)
        self._look_at_coins(states, asked)
        self._look_at_live_orders(asked)
        for text in outlived_entries(self._judge, self._now - _LATELY).values():
            self._judge.blame("an entry rests longer than it was to", text)
        self._look_at_ended_orders(asked)
        self._look_at_protection(asked, {} if self._innocent else reviewed)
        self._look_at_doubts(asked)
        self._look_at_profits(asked)
        self._look_at_closes(states, alarmed)
        self._look_at_bots()
        self._look_at_words(states)
        for name in sorted(alarmed) if self._innocent else ():
            why = states[name][2] or reviewed.get(states[name][0]) or "past its deadline"
            self._judge.blame("an alarm for nothing", f"{name}: {why}")

    def _look_at_fills(self, alarmed: set[str]) -> None:
        named = {name for (name,) in self._judge.rows("SELECT client_order_id FROM orders")}
        booked = {(order, trade): tuple(what) for order, trade, *what in self._judge.rows(_FILLS)}
        true = {
            (order.client_order_id, str(trade.trade_id)): trade
            for order in self._exchange.orders.values()
            if order.origin == "api"
            for trade in self._exchange.trades_of(order)
        }
        for key in sorted(true.keys() - booked.keys()):
            known = self._judge.orders.get(key[0])
            # Of what a lost journal bought and sold again nobody can know, nor need to; but what
            # the journal has an order for is booked, also of what is frozen.
            at = None if known is None else self._judge.holdings[known.position]
            asked = known and known.position in alarmed and key[0] not in named
            if at is None or not (asked or at.declared or self._judge.is_over(at)):
                self._judge.blame("a fill is not booked", f"{known and known.position} {key}")
        for key in sorted(booked.keys() - true.keys()):
            known = self._judge.orders.get(key[0])
            if known is None or not self._judge.holdings[known.position].declared:
                self._judge.blame("a fill is booked that never was", f"{key}")
        for key in sorted(booked.keys() & true.keys()):
            self._judge_fill(key, booked[key], true[key])

    def _judge_fill(self, key: tuple[str, str], booked: tuple[str, ...], trade: Any) -> None:
        side, price, quantity, fee, asset = booked
        said_of_it = (side.upper(), *map(Decimal, (price, quantity, fee)), asset)
        truth = (trade.side, trade.price, trade.quantity, trade.fee, trade.fee_asset)
        if said_of_it != truth:
            self._judge.blame("a fill is booked as it was not", f"{key}: {booked}, truly {truth}")

    def _look_at_books(self, states: dict[str, Any], alarmed: set[str]) -> None:
        for name, (_, state, _, believed) in sorted(states.items()):
            holding = self._judge.holdings.get(name)
            if (
                holding is None
                or holding.declared
                or self._judge.was_taken(holding)
                or name in alarmed
            ):
                continue
            price, held = self._judge.price(holding.symbol), holding.held
            if state in {"CLOSED", "FLAT"}:
                if held * price > DUST_WORTH:
                    self._judge.blame("a holding was forgotten", f"{name} {state}, truly {held}")
            elif abs(held - believed) * price > DUST_WORTH:
                self._judge.blame("the books differ", f"{name} {state}: {believed}, truly {held}")

    def _look_at_coins(self, states: dict[str, Any], alarmed: set[str]) -> None:
        """Judge that nobody believes in more coins than lie on the account, whoever took them."""
        believed: dict[str, Decimal] = defaultdict(lambda: ZERO)
        asked: set[str] = set()
        for name, (_, state, _, quantity) in states.items():
            holding = self._judge.holdings.get(name)
            if holding is not None and state not in {"CLOSED", "FLAT"}:
                believed[holding.symbol] += quantity
                asked |= {holding.symbol} if name in alarmed else set()
        for symbol, quantity in believed.items():
            base = self._exchange.rules[symbol].base
            there = self._exchange.free.get(base, ZERO) + self._exchange.locked.get(base, ZERO)
            if symbol not in asked and (quantity - there) * self._judge.price(symbol) > DUST_WORTH:
                self._judge.blame(
                    "coins are believed in that are gone", f"{quantity} of {there} {base}"
                )

    def _look_at_live_orders(self, alarmed: set[str]) -> None:
        status = dict(self._judge.rows("SELECT client_order_id, status FROM orders"))
        for order in self._judge.live():
            known = self._judge.orders.get(order.client_order_id)
            position = known.position if known else None
            if position in alarmed:
                continue
            believed = status.get(order.client_order_id)
            if believed is None or believed in OVER:
                self._judge.blame(
                    "an order is live that is not believed to be",
                    f"{position} {order.side} {order.type} {order.client_order_id}: {believed}",
                )

    def _look_at_ended_orders(self, alarmed: set[str]) -> None:
        """Judge that what the exchange has ended is known to be over, and how much of it filled."""
        rows = self._judge.rows("SELECT client_order_id, position_id, status, filled FROM orders")
        believed = {name: each for name, *each in rows}
        for order in self._exchange.orders.values():
            position, status, filled = believed.get(order.client_order_id, (None, None, "0"))
            known = self._judge.orders.get(order.client_order_id)
            if position is None or position in alarmed or known is None:
                continue
            if self._judge.holdings[known.position].declared:
                continue
            text = f"{position} {order.side} {order.type} {order.client_order_id}"
            if order.status not in _WORKING and status not in OVER:
                self._judge.blame("an order is over that is believed to be live", text)
            elif Decimal(filled) != order.executed:
                text += f": {filled}, truly {order.executed}"
                self._judge.blame("an order is filled as nobody believes", text)

    def _look_at_protection(self, alarmed: set[str], reviewed: dict[str, str]) -> None:
        for holding in self._judge.holdings.values():
            if holding.declared or self._judge.was_taken(holding) or holding.bot in reviewed:
                continue
            bare = self._judge.bare(holding)
            if (
                bare * self._judge.price(holding.symbol) > DUST_WORTH
                and holding.name not in alarmed
            ):
                self._judge.blame(
                    "unprotected at rest", f"{holding.name}: {bare} of {holding.held}"
                )

    def _look_at_doubts(self, alarmed: set[str]) -> None:
        for name, position in self._judge.rows(
            "SELECT client_order_id, position_id FROM orders WHERE status = 'INTENDED'"
        ):
            if position not in alarmed:
                self._judge.blame("a doubt never ended", f"{position} {name}")

    def _look_at_profits(self, alarmed: set[str]) -> None:
        """Judge that what a position has brought is what the exchange paid and took for it."""
        rows = self._judge.rows(
            "SELECT position_id, realized_pnl, data FROM positions WHERE state = 'CLOSED'"
        )
        for name, realized, data in rows:
            holding = self._judge.holdings.get(name)
            if holding is None or holding.declared or holding.lost or name in alarmed:
                continue
            if self._judge.was_taken(holding) or _is_tangled(json.loads(data)):
                continue
            brought = self._brought(name)
            if abs(brought - Decimal(realized)) > _CENT:
                text = f"{name}: {realized}, truly {brought}"
                self._judge.blame("a profit is booked that was not made", text)

    def _brought(self, position: str) -> Decimal:
        brought = ZERO
        for order in self._exchange.orders.values():
            known = self._judge.orders.get(order.client_order_id)
            if known is None or known.position != position:
                continue
            for trade in self._exchange.trades_of(order):
                worth = trade.quantity * trade.price
                brought += worth if trade.side == "SELL" else -worth
                quote = self._exchange.rules[order.symbol].quote
                brought -= trade.fee if trade.fee_asset == quote else ZERO
        return brought

    def _look_at_closes(self, states: dict[str, Any], alarmed: set[str]) -> None:
        """Judge that what an operator closed is closed, or somebody was told why not."""
        for (name,) in self._judge.rows(_TO_CLOSE):
            holding = self._judge.holdings.get(name)
            if holding is None or holding.declared or name in alarmed or name not in states:
                continue
            if states[name][1] != "CLOSED" and self._judge.worth(holding) > DUST_WORTH:
                self._judge.blame("a close was not carried out", f"{name}: {states[name][1]}")

    def _look_at_bots(self) -> None:
        """Judge that whoever has closed a position can begin another one."""
        newest = "SELECT position_id, state, max(number) FROM positions GROUP BY bot"
        for name, state, _ in self._judge.rows(newest):
            if state == "CLOSED":
                self._judge.blame("a bot has nothing to begin with", name)

    def _look_at_words(self, states: dict[str, Any]) -> None:
        """Judge that no alarm is left of what is over: everything is answered by now."""
        health = said.health(self._judge.rows)
        if health not in {None, "ok"}:
            self._judge.blame("said to be unwell and is not", f"{health}")
        for name in sorted(said.overdue(self._judge.rows) & states.keys()):
            _, state, frozen, _ = states[name]
            if state == "CLOSED" and not frozen and not self._goes_on(name):
                self._judge.blame("an alarm for what is over", name)

    def _goes_on(self, position: str) -> bool:
        """Tell whether an order of a position is not over, here or there."""
        ours = (self._judge.orders.get(each.client_order_id) for each in self._judge.live())
        rows = self._judge.rows("SELECT status FROM orders WHERE position_id = ?", position)
        there = any(known is not None and known.position == position for known in ours)
        return there or any(status not in OVER for (status,) in rows)


def _is_tangled(position: dict[str, Any]) -> bool:
    return any(position.get(each) not in _NOTHING for each in _BESIDE)
