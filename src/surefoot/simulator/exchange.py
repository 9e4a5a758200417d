"""The truth: balances, orders and matching. No network, no faults, no shapes.

There is no order book behind the best bid and ask: a market order fills there in full, in one or
more trades; a limit order fills at its own price when the market reaches it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from itertools import count
from typing import Final, Literal

from surefoot.simulator.clock import Clock
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
        self.fee_mode = settings.fee_mode
        self.fee_rate = settings.fee_rate
        self.slices = settings.slices
        self.cancels_rename = settings.cancels_rename
        self._first_balances = dict(settings.balances)
        self._clock = clock
        self._listeners: list[Listener] = []
        self._start_over()

    def _start_over(self) -> None:
        self.free: dict[str, Decimal] = dict(self._first_balances)
        self.locked: dict[str, Decimal] = {}
        self.orders: dict[Key, Order] = {}
        self._open: dict[Key, Order] = {}
        self.trades: list[Trade] = []
        self.archived: set[Key] = set()
        # Order ids count up per symbol, as at Binance: the number alone names no order.
        self._order_ids = {symbol: count(_FIRST_ORDER_ID) for symbol in self.rules}
        self._trade_ids = {symbol: count(_FIRST_TRADE_ID, _TRADE_ID_STEP) for symbol in self.rules}
        self._fees = count()

    def reset(self) -> None:
        """Start over, as testnets do: no orders, no trades, ids from the beginning."""
        self._start_over()

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
        now = self._clock.now_ms()
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
        if self.free.get(asset, ZERO) < amount:
            raise ApiError(-2010, "Account has insufficient balance for requested action.")
        now = self._clock.now_ms()
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
            part = _floor(order.quantity * twist.fraction, self.rules[order.symbol].lot)
            price = order.price or (quote.ask if order.side == "BUY" else quote.bid)
            if part > ZERO:
                self.fill(order, part, price)
            order.stuck = order.open
            if twist.then_cancel:
                if order.type == "LIMIT":
                    self._end(order, "CANCELED")
                else:
                    self._end(order, "EXPIRED", "INSUFFICIENT_LIQUIDITY")
        elif order.type == "LIMIT":
            self._try_limit(order, maker=False)
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
        order.updated_ms = self._clock.now_ms()
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
        order.updated_ms = self._clock.now_ms()
        self._tell(status, order, None)

    # Matching ------------------------------------------------------------------------------------

    def price(self, symbol: str, quote: Quote) -> None:
        """Move the market, and fill what it reaches."""
        self.quotes[symbol] = quote
        waiting = [each for each in self._open.values() if each.symbol == symbol]
        for order in [each for each in waiting if not each.stuck]:
            if order.type == "LIMIT":
                self._try_limit(order, maker=True)
            elif order.triggered or _reached(order.side, order.stop_price, quote):
                order.triggered = True
                self._meet(order)

    def _try_limit(self, order: Order, *, maker: bool) -> None:
        quote = self.quotes[order.symbol]
        if order.side == "BUY" and order.price >= min(quote.ask, quote.last):
            price = order.price if maker else min(order.price, quote.ask)
        elif order.side == "SELL" and order.price <= max(quote.bid, quote.last):
            price = order.price if maker else max(order.price, quote.bid)
        else:
            return
        if maker:
            self.fill(order, order.left, price, maker=True)
            return
        rules = self.rules[order.symbol]
        if rules.may_take(order.side, price):
            self.fill(order, min(order.left, rules.depth or order.left), price)
        else:
            self._end(order, "EXPIRED", _OUT_OF_RANGE)

    def _take(self, order: Order) -> None:
        quote, rules = self.quotes[order.symbol], self.rules[order.symbol]
        funds = self.free.get(rules.quote, ZERO) + order.held
        if order.side == "BUY" and order.left * self._worst_ask(rules, quote) > funds:
            # A stop that the market jumped over. Its reason is not documented; this one says that
            # an order was refused when it reached the book.
            self._end(order, "EXPIRED", "REJECTED")
            return
        price = quote.ask if order.side == "BUY" else quote.bid
        worse = rules.tick if order.side == "BUY" else -rules.tick
        there = min(order.left, rules.depth or order.left)
        part = _floor(there / self.slices, rules.lot)
        parts = [part] * (self.slices - 1) if part > ZERO else []
        for quantity in (*parts, there - sum(parts)):
            if not rules.may_take(order.side, price):
                self._end(order, "EXPIRED", _OUT_OF_RANGE)
                return
            self.fill(order, quantity, price)
            price += worse
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
        now, hidden_ms = self._clock.now_ms(), order.twist.fills_hidden_ms
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
        rules = self.rules[new.symbol]
        if new.side == "SELL":
            return rules.base, new.quantity
        worst = self._worst_ask(rules, quote)
        return rules.quote, new.quantity * (new.price or new.stop_price or worst)

    def _worst_ask(self, rules: Rules, quote: Quote) -> Decimal:
        """Return what the last slice of a market order to buy costs."""
        return quote.ask + rules.tick * (self.slices - 1)

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


def _reached(side: str, stop: Decimal, quote: Quote) -> bool:
    return quote.last <= stop if side == "SELL" else quote.last >= stop


def _floor(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_DOWN) * step


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_DOWN)
