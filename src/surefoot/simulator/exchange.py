"""The truth: balances, orders, and what becomes of them. No network, no faults, no shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import ROUND_DOWN, Decimal
from itertools import count
from typing import Final, Literal

from surefoot.simulator.clock import Clock
from surefoot.simulator.matching import Matching, Through, Touching, floor
from surefoot.simulator.model import (
    ZERO,
    Amendment,
    ApiError,
    NewOrder,
    Order,
    Quote,
    Rules,
    Settings,
    Trade,
    Twist,
)

Execution = Literal["NEW", "TRADE", "CANCELED", "EXPIRED", "REPLACED"]
Key = tuple[str, int]
Origin = Literal["api", "outside"]
Listener = Callable[[Execution, Order, Trade | None], None]

_CENT: Final = Decimal("0.00000001")
_BNB_USDT: Final = Decimal(500)
# Trade ids are shared with everybody else's trades on the symbol.
_TRADE_ID_STEP: Final = 7
_FIRST_TRADE_ID: Final = 3_700_000_000
_OUT_OF_RANGE: Final = "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
_FIRST_ORDER_ID: Final = 28_000_000_000


class Exchange:
    """One account, its orders, and the market that they meet."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.rules = {rules.symbol: rules for rules in settings.rules}
        self.quotes = {
            r.symbol: Quote(last=r.price, bid=r.price, ask=r.price) for r in self.rules.values()
        }
        self.uid = settings.uid
        self.withdraws = False  # whether the keys may take money away
        self.fee_mode = settings.fee_mode
        self.fee_rate = settings.fee_rate
        self._matching: Matching = (
            Through() if settings.fills == "through" else Touching(settings.slices)
        )
        self.cancels_rename = settings.cancels_rename
        self._first_balances = dict(settings.balances)
        self._clock = clock
        self._moment_ms: int | None = None  # while the past is played
        self._listeners: list[Listener] = []
        self.reset()

    def reset(self) -> None:
        """Start over, as testnets do: no orders, no trades, ids from the beginning."""
        self.free: dict[str, Decimal] = dict(self._first_balances)
        self.locked: dict[str, Decimal] = {}
        self.orders: dict[Key, Order] = {}
        self._open: dict[Key, Order] = {}
        self.trades: list[Trade] = []
        self.archived: set[Key] = set()
        # Order ids count up per symbol, as at Binance: the number alone names no order.
        self._ids_from = 0
        self._order_ids: dict[str, count[int]] = {}
        self._trade_ids: dict[str, count[int]] = {}
        for symbol in self.rules:
            self._number(symbol)
        self._fees = count()

    def restore(
        self,
        orders: Iterable[Order],
        trades: Iterable[Trade],
        *,
        free: dict[str, Decimal],
        locked: dict[str, Decimal],
    ) -> None:
        """Go on from what was kept; ids go on from there, too.

        They never fall behind the time: what is kept may be an older copy, and whoever traded
        since knows ids that it does not.
        """
        self.free, self.locked = free, locked
        self.trades = list(trades)
        self.orders = {order.key: order for order in sorted(orders, key=_age)}
        self._open = {key: order for key, order in self.orders.items() if order.open}
        # Nobody trades a thousand times a second, so nobody has counted that far.
        self._ids_from = self._clock.now_ms()
        self._order_ids, self._trade_ids = {}, {}
        for symbol in {*self.rules, *(each.symbol for each in self.orders.values())}:
            self._number(symbol)

    def _number(self, symbol: str) -> None:
        """Let the ids of a symbol go on behind all that is known."""
        orders = [each.order_id for each in self.orders.values() if each.symbol == symbol]
        trades = [each.trade_id for each in self.trades if each.symbol == symbol]
        order = max([_FIRST_ORDER_ID - 1, *orders]) + 1
        trade = max([_FIRST_TRADE_ID - _TRADE_ID_STEP, *trades]) + _TRADE_ID_STEP
        self._order_ids[symbol] = count(max(order, self._ids_from))
        self._trade_ids[symbol] = count(max(trade, self._ids_from), _TRADE_ID_STEP)

    def enlist(self, rules: Rules) -> None:
        """Let a symbol be traded, or change its filters."""
        symbol = rules.symbol
        self.rules[symbol] = rules
        self.quotes.setdefault(symbol, Quote(last=rules.price, bid=rules.price, ask=rules.price))
        if symbol not in self._order_ids:
            self._number(symbol)

    def listen(self, listener: Listener) -> None:
        """Have every execution reported, in order."""
        self._listeners.append(listener)

    def rules_of(self, symbol: str) -> Rules:
        """Return a symbol's filters; raise ApiError -1121 if there is none."""
        rules = self.rules.get(symbol)
        if rules is None:
            raise ApiError(-1121, "Invalid symbol.")
        return rules

    @property
    def standing(self) -> list[Order]:
        """Return the open orders, hidden or not, oldest first."""
        return list(self._open.values())

    def trades_of(self, order: Order) -> list[Trade]:
        """Return an order's trades."""
        return [trade for trade in self.trades if (trade.symbol, trade.order_id) == order.key]

    def visible(self, symbol: str | None) -> list[Order]:
        """Return the orders that reads show, of one symbol or of all."""
        now = self._now_ms()
        return [
            order
            for order in self.orders.values()
            if symbol in {None, order.symbol} and order.hidden_until_ms <= now
        ]

    # Orders --------------------------------------------------------------------------------------

    def place(self, new: NewOrder, twist: Twist, origin: Origin = "api") -> Order:
        """Accept an order and let it meet the market."""
        duplicate = any(order.name == new.client_order_id for order in self._open.values())
        if duplicate:
            raise ApiError(-2010, "Duplicate order sent.")
        quote = self.quotes[new.symbol]
        if new.type == "STOP_LOSS" and _reached(new.side, new.stop_price, quote):
            raise ApiError(-2010, "Order would trigger immediately.")
        asset, amount = self._needs(new, quote)
        if not amount:
            raise ApiError(-1013, "Market is closed.")  # there is nobody to trade with
        if self.free.get(asset, ZERO) < amount:
            raise ApiError(-2010, "Account has insufficient balance for requested action.")
        now = self._now_ms()
        order = Order(
            order_id=next(self._order_ids[new.symbol]),
            client_order_id=new.client_order_id,
            symbol=new.symbol,
            side=new.side,
            type=new.type,
            quantity=new.quantity,
            price=new.price,
            stop_price=new.stop_price,
            created_ms=now,
            updated_ms=now,
            origin=origin,
            at_once=new.at_once,
            hidden_until_ms=now + twist.hidden_ms if twist.hidden_ms else 0,
            twist=twist,
        )
        order.held = amount
        self.orders[order.key] = self._open[order.key] = order
        self._move(asset, -amount, amount)
        self._tell("NEW", order, None)
        if order.type != "STOP_LOSS":
            self._meet(order)
        return order

    def _meet(self, order: Order) -> None:
        """Let an order meet the market for the first time: a stop does so when triggered."""
        twist, quote = order.twist, self.quotes[order.symbol]
        if twist.fraction is not None:
            part = floor(order.quantity * twist.fraction, self.rules[order.symbol].lot)
            price = order.price or (quote.ask if order.side == "BUY" else quote.bid)
            if part > ZERO:
                self.fill(order, part, price)
            order.stuck = order.open
            if twist.then_cancel:
                if order.type == "LIMIT":
                    self._end(order, "CANCELED")
                else:
                    self._end(order, "EXPIRED", "INSUFFICIENT_LIQUIDITY")
        else:
            self._take(order)
        if order.at_once:
            self._end(order, "EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED")

    def cancel(self, order: Order, client_id: str) -> None:
        """Cancel an open order; `client_id` names the request to cancel."""
        if not order.open:
            raise ApiError(-2011, "Unknown order sent.")
        order.cancel_client_id = client_id
        self._end(order, "CANCELED")

    def amend(self, order: Order, amendment: Amendment) -> None:
        """Make an open order smaller; it keeps its number and its place in the queue."""
        gone = order.quantity - amendment.new_quantity
        freed = self._release(order, min(gone, order.left))
        self._move(self._held_asset(order), freed, -freed)
        order.quantity = max(amendment.new_quantity, order.executed)
        order.amendments.append(amendment)
        order.updated_ms = self._now_ms()
        self._tell("REPLACED", order, None)
        if not order.left:  # nothing remains to be filled: it ends there
            self._end(order, "EXPIRED")

    def expire(self, order: Order) -> None:
        """End an open order by the exchange's own decision."""
        self._end(order, "EXPIRED", "EXCHANGE_CANCELED")

    def revive(self, order: Order) -> None:
        """Make a cancelled order live again: what a cancel that was lost looks like."""
        if order.status not in {"CANCELED", "EXPIRED"}:
            raise ApiError(-2011, f"order {order.order_id} is {order.status}")
        rules = self.rules[order.symbol]
        order.held = order.left if order.side == "SELL" else order.left * order.price
        self._move(rules.base if order.side == "SELL" else rules.quote, -order.held, order.held)
        order.status = "PARTIALLY_FILLED" if order.executed else "NEW"
        order.twist, order.stuck, order.expiry_reason = Twist(), False, ""
        self._open[order.key] = order

    def _end(self, order: Order, status: Literal["CANCELED", "EXPIRED"], reason: str = "") -> None:
        if not order.open:
            return
        held = self._release(order, order.left)
        self._move(self._held_asset(order), held, -held)
        order.status, order.expiry_reason = status, reason
        del self._open[order.key]
        order.updated_ms = self._now_ms()
        self._tell(status, order, None)

    # Matching ------------------------------------------------------------------------------------

    @contextmanager
    def at(self, moment_ms: int) -> Iterator[None]:
        """Let things happen at a moment that is over: orders that came later do not see it."""
        self._moment_ms = moment_ms
        try:
            yield
        finally:
            self._moment_ms = None

    def _now_ms(self) -> int:
        return self._clock.now_ms() if self._moment_ms is None else self._moment_ms

    def price(self, symbol: str, quote: Quote, *, traded: bool = True) -> None:
        """Move the market, and fill what it reaches; `traded`: the last price is a new one."""
        self.quotes[symbol] = quote
        past_ms = self._moment_ms
        waiting = [
            order
            for order in self._open.values()
            if order.symbol == symbol
            and not order.stuck
            and (past_ms is None or order.created_ms <= past_ms)
        ]
        for order in waiting:
            if order.type == "LIMIT":
                if self._matching.reaches(order, quote, traded=traded):
                    self.fill(order, order.left, order.price, maker=True)
            elif order.triggered or _reached(order.side, order.stop_price, quote):
                order.triggered = True
                self._meet(order)

    def _take(self, order: Order) -> None:
        """Let an order take what there is; a limit order waits for the rest."""
        quote, rules = self.quotes[order.symbol], self.rules[order.symbol]
        levels = self._matching.taken(
            order.side, order.left, order.price, quote, rules, triggered=order.triggered
        )
        funds = self.free.get(rules.quote, ZERO) + order.held
        costs = order.left * levels[-1].price if levels else ZERO
        if order.type != "LIMIT" and order.side == "BUY" and costs > funds:
            # A stop that the market jumped over. Its reason is not documented; this one says that
            # an order was refused when it reached the book.
            self._end(order, "EXPIRED", "REJECTED")
            return
        for level in levels:
            if not rules.may_take(order.side, level.price):
                self._end(order, "EXPIRED", _OUT_OF_RANGE)
                return
            self.fill(order, level.quantity, level.price)
            self.quotes[order.symbol] = self.quotes[order.symbol].without(
                order.side, level.quantity
            )
        if order.type != "LIMIT":
            self._end(order, "EXPIRED", "INSUFFICIENT_LIQUIDITY")  # unless it is filled

    def self_trade(self, maker: Order, taker: Order, quantity: Decimal, price: Decimal) -> None:
        """Let two orders of the account trade with each other: one trade, once for each side."""
        trade = self.fill(maker, quantity, price, maker=True)
        self.fill(taker, quantity, price, same_as=trade)

    def fill(
        self,
        order: Order,
        quantity: Decimal,
        price: Decimal,
        *,
        maker: bool = False,
        same_as: Trade | None = None,
    ) -> Trade:
        """Fill some of an order: one trade, its fee, and the balances."""
        now, hidden_ms = self._now_ms(), order.twist.fills_hidden_ms
        worth = quantity * price
        fee, fee_asset = self._fee(order, quantity, worth)
        trade = Trade(
            trade_id=same_as.trade_id if same_as else next(self._trade_ids[order.symbol]),
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=fee_asset,
            maker=maker,
            at_ms=now,
            hidden_until_ms=now + hidden_ms if hidden_ms else 0,
        )
        self._settle(order, trade, worth)
        order.executed += quantity
        order.spent += worth
        order.status = "PARTIALLY_FILLED" if order.left else "FILLED"
        if not order.left:
            del self._open[order.key]
        order.updated_ms = now
        self.trades.append(trade)
        self._tell("TRADE", order, trade)
        return trade

    def _settle(self, order: Order, trade: Trade, worth: Decimal) -> None:
        rules = self.rules[order.symbol]
        held = self._release(order, trade.quantity)
        if order.side == "BUY":
            self._move(rules.quote, held - worth, -held)
            self._move(rules.base, trade.quantity, ZERO)
        else:
            self._move(rules.base, held - trade.quantity, -held)
            self._move(rules.quote, worth, ZERO)
        self._move(trade.fee_asset, -trade.fee, ZERO)

    def _fee(self, order: Order, quantity: Decimal, worth: Decimal) -> tuple[Decimal, str]:
        """Return the fee and its asset: what is received, unless another can pay."""
        rules, mode = self.rules[order.symbol], self.fee_mode
        if mode == "mixed":
            mode = "bnb" if next(self._fees) % 2 else "received"
        in_bnb = _cents(worth * self.fee_rate / _BNB_USDT)
        if mode == "bnb" and self.free.get("BNB", ZERO) >= in_bnb:
            return in_bnb, "BNB"
        in_quote = _cents(worth * self.fee_rate)
        if order.side == "SELL":
            return in_quote, rules.quote
        if mode == "quote" and self.free.get(rules.quote, ZERO) >= in_quote:
            return in_quote, rules.quote
        return _cents(quantity * self.fee_rate), rules.base

    # Balances ------------------------------------------------------------------------------------

    def _needs(self, new: NewOrder, quote: Quote) -> tuple[str, Decimal]:
        """Return what an order sets aside: nothing, if nobody would trade with it."""
        rules, price = self.rules[new.symbol], new.price or new.stop_price
        if not price:
            levels = self._matching.taken(new.side, new.quantity, ZERO, quote, rules)
            price = levels[-1].price if levels else ZERO
        if new.side == "SELL":
            return rules.base, new.quantity if price else ZERO
        return rules.quote, new.quantity * price

    def _held_asset(self, order: Order) -> str:
        rules = self.rules[order.symbol]
        return rules.base if order.side == "SELL" else rules.quote

    def _release(self, order: Order, quantity: Decimal) -> Decimal:
        """Return how much of what an order holds is let go with this much of it."""
        whole = quantity == order.left
        amount = order.held if whole else _cents(order.held * quantity / order.left)
        order.held -= amount
        return amount

    def _move(self, asset: str, free: Decimal, locked: Decimal) -> None:
        self.free[asset] = self.free.get(asset, ZERO) + free
        self.locked[asset] = self.locked.get(asset, ZERO) + locked

    def _tell(self, execution: Execution, order: Order, trade: Trade | None) -> None:
        for listener in self._listeners:
            listener(execution, order, trade)


def _age(order: Order) -> tuple[int, int]:
    return order.created_ms, order.order_id


def _reached(side: str, stop: Decimal, quote: Quote) -> bool:
    return quote.last <= stop if side == "SELL" else quote.last >= stop


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_DOWN)
